import type { Publishing } from './roles/session-host.ts'
import type { Bench } from './support/bench.ts'
import type { Role } from './support/children.ts'
import { followOne, lagsUpTo, openCrowd } from './support/crowd.ts'
import type { Held } from './support/memory.ts'
import { interleaved, rowOf, sides } from './support/rounds.ts'
import { latencyOf, median, short } from './support/stats.ts'

const SIZES = [4, 1] // the last is the one that stops
const WARM_MS = 3_000
const ROUND_MS = 3_000
const MB = 1_000_000
const BENCH = 'stopped-reader'
/** 4 MB/s: far more than anything on the way may hold for one that does not read. */
const PACE: Omit<Publishing, 'ms'> = { deltasPerSecond: 100, deltasPerMessage: 2, deltaChars: 4_096, messageChars: 65_536 }
const WINDOW_MB = (PACE.deltasPerSecond * (PACE.deltaChars + PACE.messageChars / PACE.deltasPerMessage) * ROUND_MS) / 1_000 / MB
const WAYS = ['all', 'stopped'] as const

interface Window {
  p99: number
  /** Live bytes of the host at its end, and resident ones. */
  held: Held
  /** Until the one that had stopped has everything; 0 where it had not. */
  catchUpMs: number
}

/** One of five followers takes nothing more for a while: what it costs the host and the others, and that it misses nothing. */
export const stoppedReader: Bench = {
  name: BENCH,
  async run(context) {
    const crowd = await openCrowd(context, SIZES)
    await followOne(crowd, SIZES)
    const [others, stopped] = crowd.crowds as [Role, Role]
    const window = async (way: (typeof WAYS)[number], ms = ROUND_MS): Promise<Window> => {
      if (way === 'stopped') await stopped.call('pause')
      const head = await crowd.host.call<number>('publish', { ...PACE, ms })
      const { durables } = await lagsUpTo(head, [others])
      const held = await crowd.host.call<Held>('held')
      const startedAt = performance.now()
      await stopped.call('goOn')
      await stopped.call('reached', { seq: head }) // it fails at a gap and at a repeat
      return { p99: latencyOf(durables).p99, held, catchUpMs: performance.now() - startedAt }
    }
    await window('all', WARM_MS)
    await window('stopped')
    const results = await interleaved(context.rounds, WAYS, window)
    const residentMb = median(results.map(({ all, stopped: with1 }) => (with1.held.resident - all.held.resident) / MB))
    const p99s = sides(results, WAYS, (way, index) => results[index]?.[way].p99 ?? Number.NaN)
    return [
      rowOf(
        {
          bench: BENCH,
          what: `a follower that stopped reading, ${short(WINDOW_MB)} MB behind: what the host holds for it`,
          unit: 'MB',
          budget: { atMost: 4 },
          note: `after a collection; resident ${short(residentMb)} MB more`,
        },
        results.map(({ all, stopped: with1 }) => (with1.held.live - all.held.live) / MB),
      ),
      rowOf(
        {
          bench: BENCH,
          what: 'a follower that stopped reading: added p99 of a durable event at 4 others',
          unit: 'ms',
          budget: { atMost: 20 },
          note: p99s,
        },
        results.map(({ all, stopped: with1 }) => with1.p99 - all.p99),
      ),
      rowOf(
        {
          bench: BENCH,
          what: 'a follower that stopped reading: until it has all, with no gap and no repeat',
          unit: 'ms',
          budget: { atMost: 1_000 },
        },
        results.map((result) => result.stopped.catchUpMs),
      ),
    ]
  },
}
