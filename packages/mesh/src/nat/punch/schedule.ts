import { toAppError } from '@qmtcode/protocol'
import type { Clock, Logger, PeerId } from '@qmtcode/protocol'

/** When ways through NATs are tried: soon after a link turned out to be relayed, then with pauses for as long as it is. */
export interface Schedule {
  start(): void
  /** Resolves when what is under way has ended. */
  stop(): Promise<void>
}

export interface ScheduleComponents {
  clock: Clock
  log: Logger
  relayed(): PeerId[]
  reach(peerId: PeerId, signal: AbortSignal): Promise<void>
}

const LOOK_MS = 500
/** Before the first attempt both sides have dialled what they know of each other: a way through NATs is for those whom nobody can dial. */
const PAUSES_MS = [1_500, 3_000, 10_000, 30_000, 60_000]
const ATTEMPT_MS = 25_000

export function createSchedule({ clock, log, relayed, reach }: ScheduleComponents): Schedule {
  const plans = new Map<PeerId, { at: number; attempts: number }>()
  const running = new Map<PeerId, Promise<void>>()
  const stopped = new AbortController()
  let timer: NodeJS.Timeout | undefined

  const after = (attempts: number): number => clock.monotonic() + (PAUSES_MS[attempts] ?? PAUSES_MS.at(-1) ?? 0)
  function look(): void {
    const peers = relayed()
    for (const peerId of plans.keys()) if (!peers.includes(peerId)) plans.delete(peerId)
    for (const peerId of peers) {
      const plan = plans.get(peerId) ?? { at: after(0), attempts: 0 }
      plans.set(peerId, plan)
      if (running.has(peerId) || clock.monotonic() < plan.at) continue
      const run = reach(peerId, AbortSignal.any([stopped.signal, AbortSignal.timeout(ATTEMPT_MS)]))
        .catch((error: unknown) => log.debug('no way through the NATs', { peerId, error: toAppError(error).message }))
        .finally(() => {
          running.delete(peerId)
          plan.attempts += 1
          plan.at = after(plan.attempts)
        })
      running.set(peerId, run)
    }
  }
  return {
    start() {
      timer = setInterval(look, LOOK_MS).unref()
    },
    async stop() {
      stopped.abort()
      clearInterval(timer)
      await Promise.all(running.values())
    },
  }
}
