import { AppError, createBell, roleIncludes, toAppError } from '@qmtcode/protocol'
import type { Clock, Logger, MeshEvent, MeshStatus, PeerId } from '@qmtcode/protocol'
import type { ConfiguredPeer, MeshTimings } from '../node-types.ts'
import type { TrustBook } from '../trust/trust-book.ts'
import type { Target } from './dialler.ts'
import { isConnected } from './link.ts'
import type { Links } from './links.ts'
import { unreachableHint } from './refusal.ts'

/** Keeps links to configured and used peers: dials for ever, with a capped back-off. */
export interface Keeper {
  start(): void
  /** A link or a standing changed: targets look again. */
  wake(): void
  /** This node is somewhere else: what is away is dialled now, without back-off. */
  hurry(): void
  /** Dials now what is wanted and away, and waits for it: at most `dialWait`. Throws the last failure. */
  reach(peerId: PeerId, signal?: AbortSignal): Promise<void>
  /** Reaches a configured peer whose id is not known yet. */
  meet(name: string): Promise<void>
  /** `connecting` while it is wanted and away, with the last failure. */
  stateOf(peerId: PeerId): { isWanted: boolean; problem?: string }
  unmet(): NonNullable<MeshStatus['unmet']>
  stop(): Promise<void>
}

export interface KeeperComponents {
  clock: Clock
  log: Logger
  trust: TrustBook
  links: Links
  emit(event: MeshEvent): void
  dial(target: Target, signal: AbortSignal): Promise<void>
  /** Addresses that a peer's own record tells. */
  learntAddresses(peerId: PeerId): string[]
}

/** A peer that was lost is back most likely soon, and is to be linked within 5 s of being reachable: of a dial that began too early, a pause, and a dial. */
const RECENT_MS = 60_000
const RECENT_PAUSE_MS = 1_000
/** Links to members that nothing is sent to, but entries exchanged with. */
const MAX_MEMBERS = 64

interface Keep {
  readonly key: string
  failure?: AppError
  /** What was last told as refused. */
  told?: string
  done: Promise<void>
}

export function createKeeper(
  components: KeeperComponents,
  options: { self: PeerId; configured: readonly ConfiguredPeer[]; timings: MeshTimings },
): Keeper {
  const { clock, log, trust, links, emit, dial, learntAddresses } = components
  const { configured, timings } = options
  const keeps = new Map<string, Keep>()
  const stopped = new AbortController()
  /** Targets look again. */
  const bell = createBell()
  /** An attempt has ended, or a link has turned: callers look again. */
  const ended = createBell()
  let impatient = 0
  let hurries = 0
  let current: Map<string, Target> | undefined

  /** Admitted here as a member, with an address that a record tells: of two nodes the one with the smaller id dials. */
  const isMemberToDial = (peerId: PeerId): boolean => {
    const { state, role } = trust.standing(peerId)
    return state === 'admitted' && roleIncludes(role, 'member') && options.self < peerId && learntAddresses(peerId).length > 0
  }
  /** Until the next wake, or the end of an attempt, which may have pinned an id: each of hundreds of targets asks at each wake. */
  const targets = (): Map<string, Target> => (current ??= targetsNow())
  /** By configured name, or by id for a peer that is used without being configured, and for other members up to a bound. */
  function targetsNow(): Map<string, Target> {
    const wanted = new Map<string, Target>(
      configured.map((peer) => [peer.name, { name: peer.name, configured: peer, peerId: trust.pins.idOf(peer) }]),
    )
    let members = 0
    for (const peerId of trust.known()) {
      if (trust.pins.configuredAs(peerId)) continue
      if (trust.standing(peerId).use) wanted.set(peerId, { name: trust.nameOf(peerId), peerId })
      else if (members < MAX_MEMBERS && isMemberToDial(peerId)) {
        members += 1
        wanted.set(peerId, { name: trust.nameOf(peerId), peerId })
      }
    }
    return wanted
  }
  const isAway = (target: Target): boolean =>
    target.peerId === undefined || (!isConnected(links.get(target.peerId)) && trust.standing(target.peerId).state !== 'banned')

  /** Pauses between dials, from the beginning of the last one at `begun`, never longer than `ms`; a caller that waits for the peer cuts it to the shortest pause, a hurry after `hurried` to none. */
  async function pauseFor(ms: number, { begun, hurried }: { begun: number; hurried: number }): Promise<void> {
    const least = clock.monotonic() + timings.redialMin
    const until = Math.max(least, begun + ms * (0.7 + Math.random() * 0.3))
    while (!stopped.signal.aborted) {
      if (hurried !== hurries) return
      const left = (impatient > 0 ? Math.min(least, until) : until) - clock.monotonic()
      if (left <= 0) return
      await bell.heard({ timeoutMs: left })
    }
  }
  async function keep(self: Keep): Promise<void> {
    let pause = timings.redialMin
    let linkedAt: number | undefined
    let awayAt = clock.monotonic()
    while (!stopped.signal.aborted) {
      const target = targets().get(self.key)
      if (!target) break
      if (!isAway(target)) {
        linkedAt ??= clock.monotonic()
        await bell.heard()
        continue
      }
      // A peer that takes the dial and then hangs up is no reason to hurry.
      if (linkedAt !== undefined && clock.monotonic() - linkedAt > timings.redialMax) {
        pause = timings.redialMin
        awayAt = clock.monotonic()
      }
      linkedAt = undefined
      const [begun, hurried] = [clock.monotonic(), hurries]
      await attempt(self, target)
      current = undefined
      ended.ring()
      await pauseFor(pause, { begun, hurried })
      const most = clock.monotonic() - awayAt < RECENT_MS ? Math.min(RECENT_PAUSE_MS, timings.redialMax) : timings.redialMax
      pause = hurried === hurries ? Math.min(pause * 2, most) : timings.redialMin
    }
    keeps.delete(self.key)
  }
  async function attempt(self: Keep, target: Target): Promise<void> {
    try {
      await dial(target, stopped.signal)
      self.failure = self.told = undefined
    } catch (error) {
      if (stopped.signal.aborted) return
      self.failure = toAppError(error)
      tell(self, target, self.failure)
    }
  }
  /** A failure that time alone does not mend is told, once. */
  function tell(self: Keep, target: Target, failure: AppError): void {
    log.debug('not reached', { name: target.name, error: failure.message })
    if (failure.code === 'peer_unreachable' || self.told === failure.message) return
    self.told = failure.message
    emit({ type: 'peer.refused', at: clock.now(), peerId: target.peerId, name: target.name, reason: failure.message, hint: failure.hint })
  }
  function look(): void {
    current = undefined
    for (const key of targets().keys()) {
      if (keeps.has(key) || stopped.signal.aborted) continue
      const self: Keep = { key, done: Promise.resolve() }
      keeps.set(key, self)
      self.done = keep(self).catch((error: unknown) => log.error('keeper failed', { key, error: String(error) }))
    }
    bell.ring()
    ended.ring()
  }
  const keepOf = (peerId: PeerId): Keep | undefined => keeps.get(trust.pins.configuredAs(peerId)?.name ?? peerId)

  /** Waits for attempts of `self` that end from now on; a failure that time does not mend ends it at once. */
  async function until(
    isDone: () => boolean,
    self: Keep | undefined,
    { name, signal }: { name: string; signal?: AbortSignal },
  ): Promise<void> {
    const end = clock.monotonic() + timings.dialWait
    const stale = self?.failure
    impatient += 1
    try {
      bell.ring()
      while (!isDone()) {
        signal?.throwIfAborted()
        const left = end - clock.monotonic()
        const isFinal = self?.failure !== stale && self?.failure !== undefined && self.failure.code !== 'peer_unreachable'
        if (!self || isFinal || left <= 0 || stopped.signal.aborted) throw unreachableError(name, self?.failure)
        await ended.heard({ timeoutMs: left, signal })
      }
    } finally {
      impatient -= 1
    }
  }

  return {
    start: look,
    wake: look,
    hurry() {
      hurries += 1
      look()
    },
    async reach(peerId, signal) {
      await until(() => isConnected(links.get(peerId)), keepOf(peerId), { name: trust.nameOf(peerId), signal })
    },
    async meet(name) {
      const peer = configured.find((candidate) => candidate.name === name)
      if (peer) await until(() => trust.pins.idOf(peer) !== undefined, keeps.get(name), { name })
    },
    stateOf(peerId) {
      const self = keepOf(peerId)
      return { isWanted: self !== undefined, problem: self?.failure?.message }
    },
    unmet: () =>
      configured
        .filter((peer) => trust.pins.idOf(peer) === undefined)
        .map(({ name, addr = '' }) => ({ name, address: addr, problem: keeps.get(name)?.failure?.message })),
    async stop() {
      stopped.abort()
      bell.ring()
      ended.ring()
      await Promise.all([...keeps.values()].map((self) => self.done))
    },
  }
}

function unreachableError(name: string, failure: AppError | undefined): AppError {
  if (failure && failure.code !== 'peer_unreachable') return failure
  const hint = failure?.hint ?? unreachableHint(name)
  return new AppError('peer_unreachable', failure?.message ?? `${name} is not connected`, { cause: failure, hint })
}
