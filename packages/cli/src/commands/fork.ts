import { AppError } from '@qmtcode/protocol'
import type { SessionId, Sessions } from '@qmtcode/protocol'
import { jsonLine, printableLine } from '../output/printable.ts'
import type { CommandContext } from './context.ts'
import type { Invocation } from './invocation.ts'
import { withSession } from './session-place.ts'

const PAGE = 500
const MAX_PAGES = 200 // the bound of a fork, in pages

/** A new session from a part of another one, on the same host. */
export async function forkSession(
  context: CommandContext,
  { at, title, json, ...place }: Extract<Invocation, { command: 'sessions fork' }>,
): Promise<number> {
  return await withSession(context, place, async ({ sessions, node }) => {
    const { id } = place
    const fork = await sessions.fork(id, { at: at === undefined ? undefined : await seqOf(sessions, id, at), title })
    const shown = node === undefined ? fork.id : `${printableLine(node, 63)}/${fork.id}`
    context.out.line(json ? jsonLine(fork, 2) : shown)
    return 0
  })
}

/** The event that is meant by a seq, by a message (itself), or by a prompt (the end of its turn; where it has none yet, the last event). */
export async function seqOf(sessions: Sessions, id: SessionId, at: string): Promise<number> {
  if (/^\d{1,15}$/.test(at)) return Number(at)
  let before: number | undefined
  let head: number | undefined
  let turnEnd: number | undefined
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { items } = await sessions.history(id, { before, limit: PAGE })
    head ??= items.at(-1)?.seq
    for (const event of items.toReversed()) {
      if (event.type === 'message.completed' && event.messageId === at) return event.seq
      if (event.type === 'turn.ended' && event.promptId === at) turnEnd ??= event.seq
      if (event.type === 'prompt.accepted' && event.promptId === at) return turnEnd ?? head ?? event.seq
    }
    before = items[0]?.seq
    if (before === undefined || before === 1) break
  }
  throw new AppError('not_found', `session ${id} has no event, message or prompt ${printableLine(at, 60)}`, {
    hint: `see: qmtcode sessions show ${id} --json`,
  })
}
