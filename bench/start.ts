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

const rows = {
  start: { bench: 'start', what: 'start of qmtcode --headless --mesh to its listening line', unit: 'ms', budget: { atMost: 1_500 } },
  idle: { bench: 'start', what: 'resident memory of an idle node, TCP only, after 5 s', unit: 'MB', budget: { atMost: 150 } },
  peer: {
    bench: 'start',
    what: 'resident memory for an idle peer',
    unit: 'kB',
    budget: { atMost: 500 },
    note: `${PEERS} peers, 5 s after`,
  },
}

/** What a node costs that nobody uses. */
export const start: Bench = {
  name: 'start',
  async run(context) {
    const crowd = context.children.role(new URL('roles/idle-peers.ts', import.meta.url))
    const guests = await crowd.call<PeerId[]>('identities', { directory: join(context.directory, 'peers'), count: PEERS })
    await startOnce(context, { name: 'cold', guests }) // reads every file of the product into the system's cache
    const figures = []
    for (let round = 0; round < context.rounds; round += 1) figures.push(await measureNode(context, { crowd, guests, round }))
    const started = rowOf(
      rows.start,
      figures.map(({ startMs }) => startMs),
    )
    const memory = figures.flatMap(({ memory }) => (memory ? [memory] : []))
    if (memory.length === 0) return [started, skipped(rows.idle, 'needs /proc'), skipped(rows.peer, 'needs /proc')]
    const idle = memory.map((one) => one.idleBytes / MB)
    const perPeer = memory.map((one) => (one.crowdedBytes - one.idleBytes) / PEERS / 1_000)
    return [started, rowOf(rows.idle, idle), rowOf(rows.peer, perPeer)]
  },
}

async function startOnce(
  { children, directory }: BenchContext,
  { name, guests }: { name: string; guests: readonly PeerId[] },
): Promise<void> {
  const { program } = await startHost(children, { directory: join(directory, name), guests })
  await program.end()
}

interface NodeFigures {
  startMs: number
  /** Absent where the system does not tell. */
  memory?: { idleBytes: number; crowdedBytes: number }
}

async function measureNode(
  { children, directory }: BenchContext,
  { crowd, guests, round }: { crowd: Role; guests: readonly PeerId[]; round: number },
): Promise<NodeFigures> {
  const host = await startHost(children, { directory: join(directory, `round-${round}`), guests })
  await settled()
  const idleBytes = residentBytes(host.program.pid)
  await crowd.call('connect', { directory: join(directory, 'peers'), count: PEERS, host: host.place })
  await settled()
  const crowdedBytes = residentBytes(host.program.pid)
  await crowd.call('leave')
  await host.program.end()
  const memory = idleBytes === undefined || crowdedBytes === undefined ? undefined : { idleBytes, crowdedBytes }
  return { startMs: host.startMs, memory }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
