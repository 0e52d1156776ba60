import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { PeerId } from '@qmtcode/protocol'
import type { Bench, Row } from './support/bench.ts'
import type { Role } from './support/children.ts'
import { processorMs, residentBytes } from './support/machine.ts'
import { startHost } from './support/product.ts'
import { rowOf, skipped } from './support/rounds.ts'
import type { RowInit } from './support/rounds.ts'

const PROCESSES = 8
const COUNT = 25 // nodes of each
const PEERS = PROCESSES * COUNT
const SETTLE_MS = 4_000
const IDLE_MS = 20_000
const CALLERS = 4
const CALLS = 1_000
const WARM_BURSTS = 8 // until then the allocator keeps more after each; the heap does not grow
const BENCH = 'peers-200'
/** Young garbage would hide what peers hold. */
const NODE_FLAGS = ['--max-semi-space-size=1']
const note = `${PROCESSES} processes × ${COUNT} nodes; node with ${NODE_FLAGS.join(' ')}`

const rows = {
  memory: { bench: BENCH, what: `resident memory for each of ${PEERS} idle peers`, unit: 'kB', budget: { atMost: 500 }, note },
  processor: {
    bench: BENCH,
    what: `processor time for each of ${PEERS} idle peers`,
    unit: 'ms/s',
    note: 'all that the node does, shared among them',
  },
  calls: { bench: BENCH, what: '1,000 calls at the same time from 4 of 200 peers, until all are answered', unit: 'ms' },
  growth: { bench: BENCH, what: 'growth of resident memory by 1,000 calls at the same time', unit: 'MB', budget: { atMost: 1 } },
}

/** A node in a large mesh. An error of any of them fails the bench. */
export const peers200: Bench = {
  name: BENCH,
  async run({ children, directory, rounds, say }) {
    const crowds = Array.from({ length: PROCESSES }, (_, index) => ({
      role: children.role(new URL('roles/idle-peers.ts', import.meta.url)),
      crowd: { directory: join(directory, `crowd-${index}`), count: COUNT },
    }))
    const guests = await Promise.all(crowds.map(({ role, crowd }) => role.call<PeerId[]>('identities', crowd)))
    const { program, place } = await startHost(children, {
      directory: join(directory, 'host'),
      guests: guests.flat(),
      nodeFlags: NODE_FLAGS,
    })
    await pause(SETTLE_MS)
    const alone = residentBytes(program.pid)
    for (const { role, crowd } of crowds) await role.call('connect', { ...crowd, host: place }) // all come from one address: no flood
    say(`${PEERS} peers are connected`)
    await pause(SETTLE_MS)
    const perPeer = (residentBytes(program.pid) - alone) / PEERS
    const processor = await processorPerPeer(program.pid)
    const roles = crowds.map(({ role }) => role)
    await checkConnected(roles)
    const callers = roles.slice(0, CALLERS)
    for (let count = 0; count < WARM_BURSTS; count += 1) await burst(callers)
    await pause(SETTLE_MS)
    const before = residentBytes(program.pid)
    const times: number[] = []
    for (let round = 0; round < rounds; round += 1) times.push(await burst(callers))
    await pause(SETTLE_MS)
    const growth = (residentBytes(program.pid) - before) / rounds
    await checkConnected(roles)
    return [proc(rows.memory, perPeer / 1_000), proc(rows.processor, processor), rowOf(rows.calls, times), proc(rows.growth, growth / 1e6)]
  },
}

const proc = (init: RowInit, figure: number): Row =>
  Number.isNaN(figure) ? skipped(init, 'this system does not tell (no /proc)') : rowOf(init, [figure])

/** Milliseconds a second. */
async function processorPerPeer(pid: number): Promise<number> {
  const [from, startedAt] = [processorMs(pid), performance.now()]
  await pause(IDLE_MS)
  return (1_000 * (processorMs(pid) - from)) / (performance.now() - startedAt) / PEERS
}

async function burst(callers: readonly Role[]): Promise<number> {
  const startedAt = performance.now()
  await Promise.all(callers.map((caller) => caller.call('burst', { calls: CALLS / CALLERS })))
  return performance.now() - startedAt
}

async function checkConnected(crowds: readonly Role[]): Promise<void> {
  const counts = await Promise.all(crowds.map((crowd) => crowd.call<number>('connected')))
  const connected = counts.reduce((sum, count) => sum + count, 0)
  if (connected !== PEERS) throw new Error(`${connected} of ${PEERS} peers are connected`)
}
