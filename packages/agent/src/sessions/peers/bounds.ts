import { AppError, LIMITS } from '@qmtcode/protocol'
import type { Clock, PeerId } from '@qmtcode/protocol'
import type { LocalSessions } from '../types.ts'

/** What each peer may take up of this node, over all its connections. */
export interface PeerBounds {
  /** The place of one follow, until it is given back. Throws busy. */
  follow(caller: BoundCaller): Disposable
  /** Before a prompt that is not a repeat. Throws rate_limited or busy. */
  prompt(caller: BoundCaller): void
  /** Runs `make`, which makes a session. Throws rate_limited or busy. */
  create<Value>(caller: BoundCaller, make: () => Promise<Value>): Promise<Value>
}

interface BoundCaller {
  peerId: PeerId
  name: string
}

type PeerLimits = Pick<typeof LIMITS, 'peerSessions' | 'peerFollows' | 'peerPrompts' | 'peersPrompts' | 'peerPromptsAMinute'>
type Limits = { [Key in keyof PeerLimits]: number }

export interface PeerBoundsComponents {
  sessions: LocalSessions
  clock: Clock
  /** This node. */
  node: { readonly name: string; readonly peerId?: PeerId }
}

const MINUTE_MS = 60_000

/** One a node: a peer that comes back on another connection finds what it has taken. */
export function createPeerBounds({ sessions, clock, node }: PeerBoundsComponents, options: Partial<Limits> = {}): PeerBounds {
  const limits: Limits = { ...LIMITS, ...options }
  const follows = createCounts()
  const creating = createCounts()
  const takePrompt = createPace(clock, limits.peerPromptsAMinute, `${node.name} takes`)

  const holds = async ({ peerId, name }: BoundCaller): Promise<number> => {
    const view = sessions.as({ peerId, node: name }, { shows: (row) => row.author.peerId === peerId })
    let count = 0
    let cursor: string | undefined
    do {
      const page = await view.list({ cursor, limit: LIMITS.pageSize })
      count += page.items.length
      cursor = page.cursor
    } while (cursor !== undefined && count < limits.peerSessions)
    return count
  }
  return {
    follow({ peerId }) {
      if (follows.of(peerId) >= limits.peerFollows) {
        throw busy(`${node.name}: this node follows ${limits.peerFollows} sessions there already`, 'end some of them')
      }
      return follows.take(peerId)
    },
    prompt({ peerId }) {
      const unfinished = sessions.records.unfinished().filter((author) => author.peerId !== undefined && author.peerId !== node.peerId)
      const own = unfinished.filter((author) => author.peerId === peerId).length
      if (own >= limits.peerPrompts) {
        throw busy(`${node.name}: ${own} prompts of this node wait or run there already`, 'wait for one to end, or cancel it')
      }
      if (unfinished.length >= limits.peersPrompts) {
        throw busy(`${node.name}: ${unfinished.length} prompts of peers wait or run there already`, 'try again in a while')
      }
      takePrompt(peerId)
    },
    async create(caller, make) {
      using _ = creating.take(caller.peerId)
      if ((await holds(caller)) + creating.of(caller.peerId) > limits.peerSessions) {
        throw busy(`${node.name}: this node has ${limits.peerSessions} sessions there already`, 'qmtcode sessions delete')
      }
      takePrompt(caller.peerId)
      return await make()
    },
  }
}

const busy = (message: string, hint: string): AppError => new AppError('busy', message, { hint })

interface Counts {
  of(peerId: PeerId): number
  take(peerId: PeerId): Disposable
}

function createCounts(): Counts {
  const counts = new Map<PeerId, number>()
  const of = (peerId: PeerId): number => counts.get(peerId) ?? 0
  return {
    of,
    take(peerId) {
      counts.set(peerId, of(peerId) + 1)
      let isTaken = true
      return {
        [Symbol.dispose]: () => {
          if (!isTaken) return
          isTaken = false
          const left = of(peerId) - 1
          if (left > 0) counts.set(peerId, left)
          else counts.delete(peerId)
        },
      }
    },
  }
}

/** At most `limit` in any minute, a peer; says when the next is taken. */
function createPace(clock: Clock, limit: number, who: string): (peerId: PeerId) => void {
  const taken = new Map<PeerId, number[]>()
  return (peerId) => {
    const now = clock.monotonic()
    const recent = (taken.get(peerId) ?? []).filter((at) => now - at < MINUTE_MS)
    taken.set(peerId, recent)
    const [oldest] = recent
    if (oldest !== undefined && recent.length >= limit) {
      const retryAfterMs = Math.ceil(MINUTE_MS - (now - oldest))
      throw new AppError('rate_limited', `${who} ${limit} prompts and new sessions of a peer a minute`, {
        hint: `try again in ${Math.ceil(retryAfterMs / 1_000)} s`,
        details: { retryAfterMs },
      })
    }
    recent.push(now)
    if (taken.size > MAX_PACED) forgetIdle(taken, now)
  }
}

const MAX_PACED = 1_000 // peers whose pace is remembered, before the idle ones are forgotten

function forgetIdle(taken: Map<PeerId, number[]>, now: number): void {
  for (const [peerId, times] of taken) if (times.every((at) => now - at >= MINUTE_MS)) taken.delete(peerId)
}
