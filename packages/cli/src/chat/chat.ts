import type { CommandContext } from '../commands/context.ts'
export async function chat(_context: CommandContext): Promise<number> {
  return 0
}
