import { jsonLine, printable } from '../output/printable.ts'
import type { CommandContext } from './context.ts'

export async function identity(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  const found = await context.components.identity({ configPath: context.globals.configPath })
  context.out.line(json ? jsonLine(found, 2) : found.peerId)
  return 0
}

export async function configCheck(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  const { file, warnings } = await context.components.checkConfig({ configPath: context.globals.configPath })
  if (json) {
    context.out.line(jsonLine({ ok: true, file: file ?? null, warnings }, 2))
    return 0
  }
  for (const warning of warnings) context.err.line(context.errStyle.yellow(printable(warning)))
  context.out.line(file === undefined ? 'no configuration file: the defaults hold' : `${file}: ok`)
  return 0
}

export function configSchema(context: CommandContext): number {
  context.out.line(jsonLine(context.components.configSchema(), 2))
  return 0
}
