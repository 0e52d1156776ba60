import { AppError } from '@qmtcode/protocol'
import type { Author, PromptId, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'

const PAGE = 200
const MAX_PAGES = 100

export interface WaitingPrompt {
  promptId: PromptId
  author: Author
  text: string
}

/** The prompts that wait, the oldest first: read backwards to the last one that was begun, since all before it have been, too. */
export async function waitingPrompts(sessions: Pick<Sessions, 'history'>, id: SessionId): Promise<WaitingPrompt[]> {
  const begun = new Set<PromptId>()
  const withdrawn = new Set<PromptId>()
  const waiting: WaitingPrompt[] = []
  let before: number | undefined
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { items } = await sessions.history(id, { before, limit: PAGE })
    for (const event of items.toReversed()) {
      if (event.type === 'turn.started') begun.add(event.promptId)
      if (event.type === 'prompt.withdrawn') withdrawn.add(event.promptId)
      if (event.type !== 'prompt.accepted' || withdrawn.has(event.promptId)) continue
      if (begun.has(event.promptId)) return waiting
      waiting.unshift({ promptId: event.promptId, author: event.author, text: promptLine(event) })
    }
    before = items[0]?.seq
    if (before === undefined || before === 1) break
  }
  return waiting
}

/** One line of a prompt. */
export function promptLine({ content }: Pick<Extract<SessionEvent, { type: 'prompt.accepted' }>, 'content'>): string {
  const parts = content.map((part) => (part.type === 'text' ? part.text : `[${part.filename ?? part.mediaType}]`))
  return printableLine(parts.join(' '), 200)
}

/** `user@node`, or the node. */
export const personName = ({ user, node }: Author): string =>
  user === undefined ? printableLine(node, 63) : `${printableLine(user, 60)}@${printableLine(node, 63)}`

export const queueText = (waiting: readonly WaitingPrompt[]): string =>
  waiting.length === 0 ? 'no prompt waits' : waiting.map(({ author, text }, at) => `  ${at + 1}  ${personName(author)}: ${text}`).join('\n')

/**
 * Withdraws the prompt with this number of the list as it was shown; where none of that waits any more, or nothing was shown, as the queue is
 * now. Throws conflict where it waits no more.
 */
export async function withdraw(
  sessions: Pick<Sessions, 'history' | 'cancel'>,
  id: SessionId,
  { number, shown }: { number: string | undefined; shown?: readonly WaitingPrompt[] },
): Promise<WaitingPrompt> {
  const now = await waitingPrompts(sessions, id)
  const waits = ({ promptId }: WaitingPrompt): boolean => now.some((prompt) => prompt.promptId === promptId)
  const meant = (shown?.some(waits) ? shown : now)[Number(number) - 1]
  if (!meant) throw new AppError('bad_request', `/withdraw needs the number of a prompt that waits`, { hint: '/queue lists them' })
  if (!waits(meant)) throw new AppError('conflict', 'that prompt waits no more', { hint: '/queue lists those that do' })
  await sessions.cancel(id, meant.promptId)
  return meant
}
