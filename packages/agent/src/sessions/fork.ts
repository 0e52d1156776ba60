import { AppError, newSessionId } from '@qmtcode/protocol'
import type { Author, DurableEventInit, ForkOptions, SessionId } from '@qmtcode/protocol'
import type { EventLog, ForkCopy, SessionRow } from '../log/types.ts'
import { createLedger } from './ledger.ts'
import { guestOf } from './types.ts'
import type { Accounts } from './accounts.ts'
import type { SessionsComponents } from './types.ts'

const PAGE = 500
const MAX_EVENTS = 100_000 // as many as fit a few seconds of the log's thread

export interface ForkComponents {
  log: EventLog
  accounts: Accounts
  node: SessionsComponents['node']
}

/** A new session of `author` with what happened in `source` up to an event. Returns its id. */
export async function forkSession(
  { log, accounts, node }: ForkComponents,
  { source, author, at: given, title }: ForkOptions & { source: SessionId; author: Author },
): Promise<SessionId> {
  const row = await log.session(source)
  if (!row) throw new AppError('not_found', `no session ${source}`, { hint: 'see: qmtcode sessions' })
  const at = given ?? row.seq
  if (!Number.isSafeInteger(at) || at < 1 || at > row.seq) {
    throw new AppError('bad_request', `session ${source} has no event ${at}: its last is ${row.seq}`)
  }
  if (at > MAX_EVENTS) throw new AppError('too_large', `a fork takes over at most ${MAX_EVENTS} events, not ${at}`)
  const id = newSessionId()
  const { agent, model, workspace } = row
  const created: ForkCopy['created'] = {
    type: 'session.created',
    agent,
    model,
    workspace,
    title: title ?? row.title,
    forkedFrom: { sessionId: source, seq: at },
    author,
  }
  const isSame = isSamePerson(row.author, author, node)
  const session = { id, private: row.private, unattended: false, mode: row.mode, allow: isSame ? row.allow : [] }
  const closing = await closingAt({ log, node }, { row, at, author })
  await accounts.charged({ author }, (charge) => log.fork(source, { at, session, created, closing }, charge))
  return id
}

/**
 * What ends that which event `at` left open. Nobody gets a prompt of somebody else to run: what waited is withdrawn,
 * and a cut turn can be resumed by whose prompt it was.
 */
async function closingAt(
  { log, node }: Omit<ForkComponents, 'accounts'>,
  { row, at, author }: { row: SessionRow; at: number; author: Author },
): Promise<DurableEventInit[]> {
  const { turn, waiting } = await log.openAt(row.id, at)
  const withdrawn = waiting.map((promptId): DurableEventInit => ({ type: 'prompt.withdrawn', promptId, author }))
  if (turn === undefined) return withdrawn
  let ledger: ReturnType<typeof createLedger> | undefined
  let promptId: Extract<DurableEventInit, { type: 'turn.started' }>['promptId'] | undefined
  for (let after = turn - 1; after < at;) {
    const page = await log.read(row.id, { after, limit: Math.min(PAGE, at - after) })
    if (page.length === 0) throw new AppError('internal', `the log of ${row.id} ends before event ${at}`)
    for (const event of page) {
      if (event.type === 'turn.started' && event.seq === turn) {
        promptId = event.promptId
        ledger = createLedger(event)
      } else ledger?.observe(event)
    }
    after += page.length
  }
  if (!ledger || promptId === undefined) throw new AppError('internal', `event ${turn} of ${row.id} is no turn.started`)
  const closing = ledger.closing({ stopReason: 'interrupted', because: 'the session was forked here' })
  const prompt = await log.prompt(row.id, promptId)
  const isOwn = prompt !== undefined && isSamePerson(prompt.author, author, node)
  return [...closing, ...withdrawn, ...(isOwn ? [] : [{ type: 'prompt.withdrawn' as const, promptId, author }])]
}

/** Rights are a node's: all persons of one are the same here. */
const isSamePerson = (one: Author, other: Author, node: SessionsComponents['node']): boolean => guestOf(one, node) === guestOf(other, node)
