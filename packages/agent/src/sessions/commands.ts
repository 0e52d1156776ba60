import { AppError, LIMITS, expandRights } from '@qmtcode/protocol'
import type { Author, PromptId, PromptReceipt, Sessions } from '@qmtcode/protocol'
import type { EventLog, EventOf, SessionRow } from '../log/types.ts'
import type { Engine } from './engine.ts'
import type { HotSession } from './hot-sessions.ts'
import { nameOf } from './types.ts'
import type { SessionsComponents } from './types.ts'

type Commands = Pick<Sessions, 'prompt' | 'answer' | 'cancel' | 'resume' | 'share' | 'unshare' | 'close' | 'delete'>

const MAX_SHARES = 100 // nodes that one session is shared with
const MAX_QUEUED = 200 // prompts of one session: whoever sends more is a loop, not a person

export type CommandsComponents = Pick<SessionsComponents, 'log' | 'logger' | 'discard'>

/** What changes a session, on behalf of `author`. */
export function createCommands(engine: Engine, { log, logger, discard }: CommandsComponents, author: Author): Commands {
  return {
    prompt: (id, prompt) => engine.command(id, (session) => acceptPrompt({ engine, log, author }, session, prompt)),
    answer: (id, given) =>
      engine.command(id, async (session) => {
        if (await session.turn?.answer(given.id, { answer: given.answer, by: author })) return
        const earlier = await log.answer(id, given.id)
        if (!earlier) throw new AppError('not_found', `session ${id} has no open question ${given.id}`)
        throw new AppError('conflict', answeredAlready(earlier))
      }),
    cancel: async (id, promptId) => {
      const ending = await engine.command(id, (session) => cancelPrompt({ engine, log, author }, session, promptId))
      await ending?.done // outside of the queue of commands: a turn's end may take its time
    },
    resume: (id) =>
      engine.command(id, async (session) => {
        const { interrupted } = await openRow(log, session)
        if (session.turn || (!interrupted && session.queue.length === 0))
          throw new AppError('conflict', `session ${id} has no interrupted turn`)
        session.isHeld = false
        if (!interrupted) return engine.pump(session)
        const prompt = await log.prompt(id, interrupted)
        if (!prompt) throw new AppError('internal', `the log lacks prompt ${interrupted}`)
        engine.begin(session, prompt, 'again')
      }),
    share: (id, { peerId, node, rights }) =>
      engine.command(id, async (session) => {
        const { shares } = await openRow(log, session)
        if (shares.length >= MAX_SHARES && !shares.some((share) => share.peerId === peerId)) {
          throw new AppError('too_large', `session ${id} is shared with ${shares.length} nodes already`, {
            hint: 'qmtcode sessions unshare',
          })
        }
        await engine.append(session, [{ type: 'session.shared', peerId, node, rights: expandRights(rights), author }], { author })
        await session.turn?.judgeAgain() // fewer rights than before, perhaps
      }),
    unshare: (id, peerId) =>
      engine.command(id, async (session) => {
        const share = (await rowOf(log, session)).shares.find((one) => one.peerId === peerId)
        if (share) await engine.append(session, [{ type: 'session.unshared', peerId, node: share.node, author }], { author, use: 'end' })
        await session.turn?.judgeAgain()
      }),
    close: (id) =>
      engine.command(id, async (session) => {
        assertIdle(session, 'closed')
        const row = await rowOf(log, session)
        if (row.state !== 'closed') await engine.append(session, [{ type: 'session.closed', author }], { author, use: 'end' })
      }),
    delete: (id) =>
      engine.command(id, async (session) => {
        assertIdle(session, 'deleted')
        // First: a crash behind this leaves a session without its files, and never files without their session.
        await discard?.(id).catch((error: unknown) => logger.warn('files of a deleted session stay', { id, error: String(error) }))
        engine.accounts.freed(await log.remove(id))
        session.isDeleted = true
        session.queue = []
        session.debt = []
        session.feed.end(new AppError('not_found', `session ${id} was deleted by ${nameOf(author)}`))
      }),
  }
}

const SHOWN_CHARS = 200 // of a reply

function answeredAlready(earlier: EventOf<'permission.answered' | 'question.answered'>): string {
  const { by, reason } = earlier
  const reply = earlier.type === 'question.answered' ? earlier.reply : undefined
  const said = reply && [...reply.choices, ...(reply.text === undefined ? [] : [reply.text])].join(', ').slice(0, SHOWN_CHARS)
  const what = earlier.type === 'permission.answered' ? earlier.answer : (said ?? 'without a reply')
  return `already answered${by ? ` by ${nameOf(by)}` : ''}: ${what}${reason ? ` (${reason})` : ''}`
}

interface Caller {
  engine: Engine
  log: EventLog
  author: Author
}

/** A new prompt is a decision to go on: it sets an interrupted turn aside. */
async function acceptPrompt(
  { engine, log, author }: Caller,
  session: HotSession,
  { promptId, content }: Parameters<Sessions['prompt']>[1],
): Promise<PromptReceipt> {
  const first = await log.receipt(session.id, promptId)
  if (first) return first
  const { model, mode } = await openRow(log, session)
  const size = Buffer.byteLength(JSON.stringify(content))
  if (size > LIMITS.promptBytes) throw new AppError('too_large', `a prompt of ${size} bytes; at most ${LIMITS.promptBytes}`)
  if (session.queue.length >= MAX_QUEUED) {
    throw new AppError('busy', `${session.queue.length} prompts wait in session ${session.id} already`, { hint: 'cancel some of them' })
  }
  const position = session.queue.length + (session.turn ? 1 : 0)
  const [accepted] = await engine.append(session, [{ type: 'prompt.accepted', promptId, author, content, position }], {
    author,
    use: 'turn',
  })
  if (!accepted) throw new AppError('internal', 'the log stored nothing')
  session.queue.push({ promptId, author, settings: { model, mode } })
  session.isHeld = false
  engine.pump(session)
  return { promptId, seq: accepted.seq, position }
}

/** Withdraws what has not started, or aborts what runs and returns it. */
async function cancelPrompt({ engine, log, author }: Caller, session: HotSession, promptId?: PromptId): Promise<HotSession['turn']> {
  const abortTurn = (): HotSession['turn'] => {
    const { turn } = session
    if (!turn || (promptId ?? turn.promptId) !== turn.promptId) return undefined
    turn.abort(new AppError('cancelled', `cancelled by ${nameOf(author)}`))
    return turn
  }
  const running = abortTurn()
  if (running) return running
  const { interrupted } = await rowOf(log, session)
  const begun = abortTurn() // while the log was read
  if (begun) return begun
  const isQueued = session.queue.some((prompt) => prompt.promptId === promptId)
  const withdrawn = isQueued ? promptId : interrupted
  if (withdrawn === undefined || (promptId ?? withdrawn) !== withdrawn) return undefined
  const queue = session.queue
  session.queue = queue.filter((prompt) => prompt.promptId !== withdrawn) // now: a turn that ends meanwhile must not start it
  try {
    await engine.append(session, [{ type: 'prompt.withdrawn', promptId: withdrawn, author }], { author, use: 'end' })
  } catch (error) {
    session.queue = queue.filter((prompt) => prompt.promptId === withdrawn || session.queue.includes(prompt))
    throw error
  }
  if (withdrawn === interrupted) session.isHeld = false
  engine.pump(session)
  return undefined
}

async function rowOf(log: EventLog, { id }: HotSession): Promise<SessionRow> {
  const row = await log.session(id)
  if (!row) throw new AppError('not_found', `no session ${id}`)
  return row
}

export async function openRow(log: EventLog, session: HotSession): Promise<SessionRow> {
  const row = await rowOf(log, session)
  if (row.state === 'closed') throw new AppError('conflict', `session ${session.id} is closed`)
  return row
}

function assertIdle(session: HotSession, what: string): void {
  if (!session.turn && (session.queue.length === 0 || session.isHeld)) return
  throw new AppError('conflict', `session ${session.id} is running and cannot be ${what}`, { hint: 'cancel it first' })
}
