import { toAppError } from '@qmtcode/protocol'
import type { Clock, Logger, PeerId } from '@qmtcode/protocol'
import type { Multiaddr } from '@multiformats/multiaddr'
import { isOnOwnNetwork } from '../addresses/local-addresses.ts'
import { connectionCost, mayBeBetter } from '../links/line-rank.ts'
import { isRelayedLink } from '../links/link.ts'
import type { Link } from '../links/link.ts'

/**
 * Looks for a better way to peers that are linked: a direct one instead of a relay, TCP instead of QUIC, an address of the own network
 * instead of a public one. Both ends do: it is enough that one of them is reached.
 */
export interface Upgrades {
  start(): void
  /** Links changed. */
  wake(): void
  /** This machine has other addresses: what failed before is tried again. */
  hurry(): void
  stop(): Promise<void>
}

export interface UpgradesComponents {
  clock: Clock
  log: Logger
  links(): Link[]
  /** Dials the known addresses of it that are accepted. Rejects if none answers. */
  dialBetter(peerId: PeerId, accepts: (address: Multiaddr) => boolean, signal: AbortSignal): Promise<void>
}

interface Plan {
  isRelayed: boolean
  at: number
  attempts: number
  /** Lines that were opened. The other end may judge them otherwise, and close them. */
  opened: number
}

const LOOK_MS = 500
/** Pauses between attempts; the last one repeats. A record with new addresses comes within seconds of the link. */
const PAUSES_MS = [0, 1_500, 5_000, 15_000, 60_000]
/** Of direct links there is no hurry: one side goes first, so that they do not open two. */
const FIRST_PAUSE_MS = { smaller: 500, larger: 3_000 }
const ATTEMPT_MS = 15_000
const MAX_OPENED = 3

export function createUpgrades({ clock, log, links, dialBetter }: UpgradesComponents, { self }: { self: PeerId }): Upgrades {
  const plans = new Map<PeerId, Plan>()
  const running = new Map<PeerId, Promise<void>>()
  const stopped = new AbortController()
  let timer: NodeJS.Timeout | undefined

  function planFor(link: Link): Plan {
    const known = plans.get(link.peerId)
    const isRelayed = isRelayedLink(link)
    if (known?.isRelayed === isRelayed) return known
    const pause = isRelayed ? 0 : FIRST_PAUSE_MS[self < link.peerId ? 'smaller' : 'larger']
    const plan = { isRelayed, at: clock.monotonic() + pause, attempts: 0, opened: 0 }
    plans.set(link.peerId, plan)
    return plan
  }
  function look(): void {
    if (stopped.signal.aborted) return
    const up = links().filter((link) => link.isUp)
    for (const peerId of plans.keys()) if (!up.some((link) => link.peerId === peerId)) plans.delete(peerId)
    for (const link of up) {
      const [best] = link.lines
      if (!best || connectionCost(best.connection) === 0) continue
      const plan = planFor(link)
      if (running.has(link.peerId) || clock.monotonic() < plan.at || plan.opened >= MAX_OPENED) continue
      const run = attempt(link, plan).finally(() => {
        running.delete(link.peerId)
        plan.attempts += 1
        plan.at = clock.monotonic() + (PAUSES_MS[plan.attempts] ?? PAUSES_MS.at(-1) ?? 0)
      })
      running.set(link.peerId, run)
    }
  }
  async function attempt(link: Link, plan: Plan): Promise<void> {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(ATTEMPT_MS)])
    const begun = clock.monotonic()
    const accepts = (address: Multiaddr): boolean => {
      const [best] = link.lines
      return best !== undefined && mayBeBetter(address, best.connection, isOnOwnNetwork)
    }
    try {
      await dialBetter(link.peerId, accepts, signal)
      plan.opened += plan.isRelayed ? 0 : 1
    } catch (error) {
      log.debug('no better way', { peerId: link.peerId, error: toAppError(error).message })
    }
    if (plan.isRelayed && !isRelayedLink(link)) log.info('direct', { peerId: link.peerId, afterMs: Math.round(clock.monotonic() - begun) })
  }
  return {
    start() {
      timer = setInterval(look, LOOK_MS).unref()
    },
    wake: look,
    hurry() {
      plans.clear()
      look()
    },
    async stop() {
      stopped.abort()
      clearInterval(timer)
      await Promise.all(running.values())
    },
  }
}
