import process from 'node:process'
import { inspect } from 'node:util'

export interface RoleRequest {
  id: number
  command: string
  input?: unknown
}
export interface RoleReply {
  id: number
  result?: unknown
  /** Why the command failed. */
  error?: string
}

export type RoleCommands = Record<string, (input: never) => unknown>

/** Answers the parent's calls, and ends with it: an orphan of a killed bench would measure nothing for ever. */
export function serveRole(commands: RoleCommands): void {
  const answer = async ({ id, command, input }: RoleRequest): Promise<RoleReply> => {
    try {
      const run = commands[command]
      if (!run) throw new Error('no such command')
      return { id, result: await run(input as never) }
    } catch (error) {
      return { id, error: inspect(error) } // with its causes
    }
  }
  process.on('message', (request: RoleRequest) => {
    answer(request).then(
      (reply) => process.send?.(reply),
      () => process.exit(1),
    )
  })
  process.once('disconnect', () => process.exit(0))
}
