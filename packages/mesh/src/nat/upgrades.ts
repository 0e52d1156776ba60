import { toAppError } from '@qmtcode/protocol'
import type { Clock, Logger, PeerId } from '@qmtcode/protocol'
import { isRelayedLink } from '../links/link.ts'
import type { Link } from '../links/link.ts'

/** Looks for a direct way to peers that are linked over a relay. Both ends do: it is enough that one of them is reached. */
export interface Upgrades {
  start(): void
  /** Links changed. */
  wake(): void
  stop(): Promise<void>
}

export interface UpgradesComponents {
  clock: Clock
  log: Logger
  links(): Link[]
  /** Dials the direct addresses that are known of it. Rejects if none answers. */
  dialDirect(peerId: PeerId, signal: AbortSignal): Promise<void>
}

const LOOK_MS = 500
/** Pauses between attempts; the last one repeats. A record with new addresses comes within seconds of the link. */
const PAUSES_MS = [0, 1_500, 5_000, 15_000, 60_000]
const ATTEMPT_MS = 15_000

export function createUpgrades({ clock, log, links, dialDirect }: UpgradesComponents): Upgrades {
  const due = new Map<PeerId, { at: number; attempts: number }>()
  const running = new Map<PeerId, Promise<void>>()
  const stopped = new AbortController()
  let timer: NodeJS.Timeout | undefined

  function look(): void {
    if (stopped.signal.aborted) return
    const relayed = links().filter((link) => link.isUp && isRelayedLink(link))
    for (const peerId of due.keys()) if (!relayed.some((link) => link.peerId === peerId)) due.delete(peerId)
    for (const link of relayed) {
      const plan = due.get(link.peerId) ?? { at: clock.monotonic(), attempts: 0 }
      due.set(link.peerId, plan)
      if (running.has(link.peerId) || clock.monotonic() < plan.at) continue
      const run = attempt(link).finally(() => {
        running.delete(link.peerId)
        plan.attempts += 1
        plan.at = clock.monotonic() + (PAUSES_MS[plan.attempts] ?? PAUSES_MS.at(-1) ?? 0)
      })
      running.set(link.peerId, run)
    }
  }
  async function attempt(link: Link): Promise<void> {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(ATTEMPT_MS)])
    const begun = clock.monotonic()
    await dialDirect(link.peerId, signal).catch((error: unknown) =>
      log.debug('no direct way', { peerId: link.peerId, error: toAppError(error).message }),
    )
    if (!isRelayedLink(link)) log.info('direct', { peerId: link.peerId, afterMs: Math.round(clock.monotonic() - begun) })
  }
  return {
    start() {
      timer = setInterval(look, LOOK_MS).unref()
    },
    wake: look,
    async stop() {
      stopped.abort()
      clearInterval(timer)
      await Promise.all(running.values())
    },
  }
}
