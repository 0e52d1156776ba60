import type { SessionId } from '@qmtcode/protocol'
import type { Following } from './roles/followers.ts'
import type { Bench, BenchContext } from './support/bench.ts'
import { openCrowd } from './support/crowd.ts'
import type { Held } from './support/memory.ts'
import { rowOf } from './support/rounds.ts'
import { median, short } from './support/stats.ts'

const SESSIONS = 1_000
const EVENTS = 5
const SIZES = [8] // nodes: each may follow 128
const KB = 1_000
const BENCH = 'idle-sessions'

interface Costs {
  /** Bytes a session. */
  idle: Held
  followed: Held
}

/** What a node holds for sessions in which nothing happens. */
export const idleSessions: Bench = {
  name: BENCH,
  async run(context) {
    const costs: Costs[] = []
    for (let round = 0; round < context.rounds; round += 1) {
      costs.push(await measure({ ...context, directory: `${context.directory}/${round}` }))
      await context.children.endAll()
    }
    return [
      row(
        'an idle session',
        costs.map(({ idle }) => idle),
      ),
      row(
        'an idle session that a peer follows',
        costs.map(({ followed }) => followed),
      ),
    ]
  },
}

function row(what: string, costs: readonly Held[]) {
  const live = short(median(costs.map((cost) => cost.live / KB)))
  const note = `${SESSIONS} sessions × ${EVENTS + 1} events, after a collection; of it objects and buffers ${live} kB`
  return rowOf(
    { bench: BENCH, what: `resident memory for ${what}`, unit: 'kB', note },
    costs.map(({ resident }) => resident / KB),
  )
}

async function measure(context: BenchContext): Promise<Costs> {
  const { host, crowds } = await openCrowd(context, SIZES)
  const create = (count: number): Promise<SessionId[]> => host.call('create', { count, events: EVENTS })
  const follow = (ids: readonly SessionId[]): Promise<unknown[]> => {
    const sessions: Following[] = ids.map((id) => ({ id, after: EVENTS }))
    return Promise.all(crowds.map((crowd) => crowd.call('follow', { sessions })))
  }
  await follow(await create(SESSIONS / 10)) // what is compiled and opened for the first of them is not theirs
  const before = await host.call<Held>('held')
  const ids = await create(SESSIONS - SESSIONS / 10)
  const idle = await host.call<Held>('held')
  await follow(ids)
  const followed = await host.call<Held>('held')
  return { idle: each(before, idle, ids.length), followed: each(idle, followed, ids.length) }
}

const each = (before: Held, after: Held, count: number): Held => ({
  resident: (after.resident - before.resident) / count,
  live: (after.live - before.live) / count,
})
