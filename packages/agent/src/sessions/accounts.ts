import { AppError, LIMITS } from '@qmtcode/protocol'
import type { Author, PeerId } from '@qmtcode/protocol'
import type { Charge, EventLog, PeerBytes } from '../log/types.ts'
import type { HotSession, HotSessions } from './hot-sessions.ts'
import { guestOf } from './types.ts'
import type { SessionsComponents } from './types.ts'

/**
 * The bytes that each peer holds in the sessions of this node: what it brought to the log, and the conversations of its prompts that
 * wait or run, which their turns hold in memory. This node's own person has no account; one session is bounded for all.
 */
export interface Accounts {
  /** Reads what is held. */
  start(): Promise<void>
  /** Runs one write to the log on the account of `author`. Throws too_large or busy before anything is written. */
  charged<Value>(to: Payment, write: (charge: Charge) => Promise<Value>): Promise<Value>
  /** Before a conversation is read for a turn. Throws too_large or busy. */
  assertContext(author: Author, session: HotSession): void
  freed(bytes: readonly PeerBytes[]): void
}

export interface Payment {
  author: Author
  /** Absent: it is being made. */
  session?: HotSession
  /**
   * `end`: what ends, withdraws or answers is always written. `turn`: it becomes part of a conversation that a turn holds.
   * Default: it is kept in the log.
   */
  use?: 'end' | 'turn'
}

export type AccountLimits = Record<
  'sessionBytes' | 'peerSessionsBytes' | 'peersSessionsBytes' | 'peerContextBytes' | 'peersContextBytes',
  number
>

export interface AccountsComponents {
  log: Pick<EventLog, 'charges'>
  hot: HotSessions
  node: SessionsComponents['node']
}

export function createAccounts({ log, hot, node }: AccountsComponents, options: Partial<AccountLimits> = {}): Accounts {
  const limits: AccountLimits = { ...LIMITS, ...options }
  const held = new Map<PeerId, number>()
  const add = (peerId: PeerId, bytes: number): void => {
    held.set(peerId, (held.get(peerId) ?? 0) + bytes)
  }
  const room = createRoom(limits, node.name)

  const assertContext = (payer: PeerId | undefined, session: HotSession, more: number): void => {
    room.inSession(session, more)
    if (payer === undefined) return
    const others = contexts({ hot, node }).filter(({ id }) => id !== session.id)
    const bytesOf = (some: typeof others): number => some.reduce((sum, { bytes }) => sum + bytes, session.bytes + more)
    room.inContexts(bytesOf(others.filter(({ payers }) => payers.has(payer))), bytesOf(others))
  }
  const assertKept = (payer: PeerId | undefined, more: number): void => {
    if (payer === undefined) return
    const all = [...held.values()].reduce((sum, bytes) => sum + bytes, 0)
    room.inLog((held.get(payer) ?? 0) + more, all + more)
  }
  return {
    start: async () => {
      for (const { peerId, bytes } of await log.charges()) add(peerId, bytes)
    },
    charged: async ({ author, session, use }, write) => {
      const payer = guestOf(author, node)
      let taken = 0
      const take = (bytes: number): void => {
        taken += bytes
        if (payer !== undefined) add(payer, bytes)
        if (session) session.bytes += bytes
      }
      const admit = (bytes: number): void => {
        if (use === 'turn' && session) assertContext(payer, session, bytes)
        if (use !== 'end' && session) room.inSession(session, bytes)
        if (use !== 'end') assertKept(payer, bytes)
        take(bytes)
      }
      try {
        return await write({ payer, admit })
      } catch (error) {
        take(-taken)
        throw error
      }
    },
    assertContext: (author, session) => assertContext(guestOf(author, node), session, 0),
    freed: (freed) => {
      for (const { peerId, bytes } of freed) add(peerId, -bytes)
    },
  }
}

/** Conversations that turns of peers hold in memory, or will when it is their prompt's time. */
function contexts({ hot, node }: Pick<AccountsComponents, 'hot' | 'node'>): { id: string; bytes: number; payers: Set<PeerId> }[] {
  return hot.all().flatMap(({ id, bytes, turn, queue }) => {
    const authors = [...(turn ? [turn] : []), ...queue].map(({ author }) => guestOf(author, node))
    const payers = new Set(authors.filter((payer) => payer !== undefined))
    return payers.size > 0 ? [{ id, bytes, payers }] : []
  })
}

/** Each throws where there is not that much room. */
function createRoom(limits: AccountLimits, host: string) {
  const tooLarge = (message: string, hint: string): AppError => new AppError('too_large', message, { hint })
  const busy = (message: string, hint: string): AppError => new AppError('busy', message, { hint })
  return {
    inSession({ id, bytes }: HotSession, more: number) {
      if (bytes + more <= limits.sessionBytes) return
      throw tooLarge(
        `session ${id} holds ${megabytes(bytes)} and would hold ${megabytes(bytes + more)}; at most ${megabytes(limits.sessionBytes)}`,
        'begin a new session, or fork this one at an earlier event',
      )
    },
    inLog(own: number, all: number) {
      if (own > limits.peerSessionsBytes) {
        throw tooLarge(
          `${host}: what this node brought to sessions there would be ${megabytes(own)}; at most ${megabytes(limits.peerSessionsBytes)}`,
          'delete some of its sessions: qmtcode sessions delete',
        )
      }
      if (all > limits.peersSessionsBytes) {
        throw busy(`${host}: sessions of peers hold ${megabytes(all)} there`, `on ${host}: qmtcode sessions delete`)
      }
    },
    inContexts(own: number, all: number) {
      if (own > limits.peerContextBytes) {
        throw busy(
          `${host}: conversations of this node that wait or run there would be ${megabytes(own)}; at most ${megabytes(limits.peerContextBytes)}`,
          'wait for one to end, or cancel it',
        )
      }
      if (all > limits.peersContextBytes) {
        throw busy(`${host}: conversations of peers that wait or run there would be ${megabytes(all)}`, 'try again in a while')
      }
    },
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`
