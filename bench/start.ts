import { join } from 'node:path'
import type { PeerId } from '@qmtcode/protocol'
import type { Bench, BenchContext } from './support/bench.ts'
import type { Role } from './support/children.ts'
import { residentBytes } from './support/machine.ts'
import { startHost } from './support/product.ts'
import { rowOf, skipped } from './support/rounds.ts'

const SETTLE_MS = 5_000
const PEERS = 25
const MB = 1_000_000
/** Young garbage would hide what 25 peers hold: V8 lets it grow to 48 MB before it looks. */
const SMALL_YOUNG_SPACE = '--max-semi-space-size=1'

const rows = {
  start: { bench: 'start', what: 'start of qmtcode --headless --mesh to its listening line', unit: 'ms', budget: { atMost: 1_500 } },
  idle: { bench: 'start', what: 'resident memory of an idle node, TCP only, after 5 s', unit: 'MB', budget: { atMost: 150 } },
  peer: {
    bench: 'start',
    what: 'resident memory for an idle peer',
    unit: 'kB',
    budget: { atMost: 500 },
    note: `${PEERS} peers, 5 s after; node with ${SMALL_YOUNG_SPACE}`,
  },
}

/** What a node costs that nobody uses. */
export const start: Bench = {
  name: 'start',
  async run(context) {
    const crowd = context.children.role(new URL('roles/idle-peers.ts', import.meta.url))
    const guests = await crowd.call<PeerId[]>('identities', { directory: join(context.directory, 'peers'), count: PEERS })
    await measureIdle(context, { name: 'first', settleMs: 0 }) // reads every file of the product into the system's cache
    const idle = []
    const perPeer = []
    for (let round = 0; round < context.rounds; round += 1) {
      idle.push(await measureIdle(context, { name: `idle-${round}`, settleMs: SETTLE_MS }))
      perPeer.push(await measurePeers(context, { name: `crowd-${round}`, crowd, guests }))
    }
    return [
      rowOf(
        rows.start,
        idle.map(({ startMs }) => startMs),
      ),
      memoryRow(
        rows.idle,
        idle.map(({ bytes }) => bytes / MB),
      ),
      memoryRow(
        rows.peer,
        perPeer.map((bytes) => bytes / 1_000),
      ),
    ]
  },
}

const memoryRow = (init: (typeof rows)['idle'], figures: readonly number[]) =>
  figures.some(Number.isNaN) ? skipped(init, 'this system does not tell (no /proc)') : rowOf(init, figures)

async function measureIdle(
  { children, directory }: BenchContext,
  { name, settleMs }: { name: string; settleMs: number },
): Promise<{ startMs: number; bytes: number }> {
  const { program, startMs } = await startHost(children, { directory: join(directory, name), guests: [] })
  await pause(settleMs)
  const bytes = residentBytes(program.pid)
  await program.end()
  return { startMs, bytes }
}

/** Bytes for each peer that is connected and silent. */
async function measurePeers(
  { children, directory }: BenchContext,
  { name, crowd, guests }: { name: string; crowd: Role; guests: readonly PeerId[] },
): Promise<number> {
  const host = await startHost(children, { directory: join(directory, name), guests, nodeFlags: [SMALL_YOUNG_SPACE] })
  await pause(SETTLE_MS)
  const before = residentBytes(host.program.pid)
  await crowd.call('connect', { directory: join(directory, 'peers'), count: PEERS, host: host.place })
  await pause(SETTLE_MS)
  const after = residentBytes(host.program.pid)
  await crowd.call('leave')
  await host.program.end()
  return (after - before) / PEERS
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
