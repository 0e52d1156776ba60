// The full numbers of the tests that `npm test` runs small: kills, crosstalk, bad lines. Prints each figure as it comes; takes about an hour.
// Usage: node scripts/soak.ts [name …]     QMT_SEED changes the seed (default 1).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

interface Soak {
  name: string
  what: string
  file: string
  env?: Record<string, string>
  /** Runs, each with the next seed. Default: 1. */
  seeds?: number
}

const TIMEOUT_MS = 7_200_000

const SOAKS: Soak[] = [
  { name: 'log', what: '500 × kill -9 of a process that appends', file: 'packages/agent/src/log/crash.test.ts', env: { QMT_KILLS: '500' } },
  { name: 'node', what: '500 × kill -9 of a node in a conversation', file: 'e2e/kill.test.ts', env: { QMT_KILLS: '500' } },
  {
    name: 'sessions',
    what: '500 × kill -9 of the host or the follower of a session',
    file: 'e2e/faults-kill.test.ts',
    env: { QMT_KILLS: '500' },
  },
  {
    name: 'sleep',
    what: 'a host and a follower that sleep for 20 s',
    file: 'e2e/faults-host-stop.test.ts',
    env: { QMT_SLEEP_MS: '20000' },
  },
  { name: 'cuts', what: 'links cut at every frame boundary of a turn', file: 'e2e/faults-cuts.test.ts', env: { QMT_CUTS: 'all' } },
  { name: 'rpc', what: 'calls cut at random on shared streams, 20 seeds', file: 'packages/mesh/src/rpc/crosstalk.test.ts', seeds: 20 },
  {
    name: 'lab',
    what: 'detection of lost peers, bad lines for 10 minutes',
    file: 'e2e/lab/detection.test.ts',
    env: { QMT_LAB_SECS: '600' },
  },
  {
    name: 'silence',
    what: 'model servers that are silent for 320 s, where the limits allow it',
    file: 'packages/agent/src/models/silence.test.ts',
    env: { QMT_SILENT_MS: '320000' },
  },
  { name: 'nat', what: 'every pair of NATs, through a relay', file: 'e2e/lab/nat.test.ts', env: { QMT_NAT: 'all' } },
  {
    name: 'attacks',
    what: '1,000 unknown identities, every protocol',
    file: 'e2e/attacks/strangers.test.ts',
    env: { QMT_STRANGERS: '1000' },
  },
  {
    name: 'attacks',
    what: '10,000 fuzzed frames a protocol, of an unknown and of an admitted peer',
    file: 'e2e/attacks/frames.test.ts',
    env: { QMT_FRAMES: '10000' },
  },
  {
    name: 'attacks',
    what: '10,000 records of nodes that a member made up',
    file: 'packages/mesh/src/member-attacks.test.ts',
    env: { QMT_MADE_UP_NODES: '10000' },
  },
  {
    name: 'attacks',
    what: '1,000 meshes in which an admin signs whatever it can',
    file: 'packages/mesh/src/trust/authority-property.test.ts',
    env: { QMT_MESHES: '1000' },
  },
  { name: 'attacks', what: 'floods of connections for a minute', file: 'e2e/attacks/flood.test.ts', env: { QMT_FLOOD_MS: '60000' } },
  { name: 'attacks', what: '50 strangers knock at a chat', file: 'e2e/attacks/knocks.test.ts', env: { QMT_KNOCKS: '50' } },
  {
    name: 'attacks',
    what: '400 prompts of 900 kB of a client',
    file: 'e2e/attacks/client-values.test.ts',
    env: { QMT_LARGE_PROMPTS: '400' },
  },
  { name: 'attacks', what: 'the same over QUIC', file: 'e2e/attacks/flood-quic.test.ts', env: { QMT_FLOOD_MS: '60000' } },
]

const wanted = process.argv.slice(2)
const firstSeed = Number(process.env['QMT_SEED'] ?? '1')
let failed = 0
for (const soak of SOAKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  for (let seed = firstSeed; seed < firstSeed + (soak.seeds ?? 1); seed += 1) failed += (await passes(soak, seed)) ? 0 : 1
}
process.exitCode = failed > 0 ? 1 : 0

async function passes({ name, what, file, env }: Soak, seed: number): Promise<boolean> {
  const startedAt = performance.now()
  process.stdout.write(`${name}: ${what}, seed ${seed}\n`)
  const child = spawn(process.execPath, ['--test', `--test-timeout=${TIMEOUT_MS}`, file], {
    env: { ...process.env, ...env, QMT_SEED: String(seed) },
    stdio: 'inherit',
  })
  const [code] = (await once(child, 'close')) as [number | null]
  process.stdout.write(`${name}: ${code === 0 ? 'passed' : 'FAILED'} in ${Math.round((performance.now() - startedAt) / 1_000)} s\n`)
  return code === 0
}
