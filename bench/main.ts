// Measures what docs/measured.md claims. Only loopback, at most 10 minutes.
// Usage: npm run bench [-- --only NAME] [--rounds N] [--json FILE] [--record] [--profile DIRECTORY]
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { attach } from './attach.ts'
import { calls } from './calls.ts'
import { converge } from './converge.ts'
import { events } from './events.ts'
import { followers } from './followers.ts'
import { gateway } from './gateway.ts'
import { hop } from './hop.ts'
import { idleSessions } from './idle-sessions.ts'
import { opencode } from './opencode.ts'
import { peers200 } from './peers-200.ts'
import { relay } from './relay.ts'
import { routing } from './routing.ts'
import { start } from './start.ts'
import { stoppedReader } from './stopped-reader.ts'
import type { Bench, Row } from './support/bench.ts'
import { verdictOf } from './support/bench.ts'
import { createChildren } from './support/children.ts'
import { machine } from './support/machine.ts'
import { profileText } from './support/profile.ts'
import { QUIET_LOAD, record, reportJson, tableText } from './support/report.ts'

const BENCHES: readonly Bench[] = [
  hop,
  gateway,
  relay,
  calls,
  start,
  events,
  attach,
  routing,
  followers,
  stoppedReader,
  idleSessions,
  opencode,
  peers200,
  converge,
]
const DOCS = new URL('../docs/', import.meta.url)
const MIN_ROUNDS = 3
const MAX_RUN_MS = 600_000

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: String(MIN_ROUNDS) },
    json: { type: 'string' },
    record: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
})
const rounds = Math.max(MIN_ROUNDS, Math.trunc(Number(values.rounds)) || 0)
const chosen = BENCHES.filter((bench) => values.only === undefined || values.only.includes(bench.name))
if (chosen.length === 0) {
  process.stderr.write(`no bench ${values.only?.join(', ')}; there are ${BENCHES.map((bench) => bench.name).join(', ')}\n`)
  process.exit(2)
}
if (values.record && (values.only !== undefined || values.profile !== undefined)) {
  process.stderr.write('--record is for a whole run, not profiled\n')
  process.exit(2)
}

const nodeFlags = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`]
if (values.profile !== undefined) await mkdir(values.profile, { recursive: true })
const root = await mkdtemp(join(tmpdir(), 'qmt-bench-'))
const children = createChildren({ nodeFlags })
const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

const giveUp = (why: string): void => {
  say(why)
  process.exit(1)
}
process.once('exit', () => {
  children.killAll()
  rmSync(root, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => giveUp(signal))
setTimeout(() => giveUp(`not done within ${MAX_RUN_MS / 1_000} s`), MAX_RUN_MS).unref()

async function runBench(bench: Bench): Promise<Row[]> {
  const directory = join(root, bench.name)
  await mkdir(directory)
  const startedAt = performance.now()
  try {
    return await bench.run({ children, rounds, directory, say: (line) => say(`  ${bench.name}: ${line}`) })
  } catch (error) {
    process.exitCode = 1
    const reason = error instanceof Error ? error.message : String(error)
    say(`  ${bench.name}: failed: ${reason}`)
    return [{ bench: bench.name, what: bench.name, unit: '', rounds: [], failed: true, note: reason.split('\n')[0] }]
  } finally {
    await children.endAll()
    say(`  ${bench.name}: ${Math.round((performance.now() - startedAt) / 1_000)} s`)
  }
}

const before = machine()
if (before.loadBefore > QUIET_LOAD) say(`this machine is not quiet (load ${before.loadBefore}): these figures will be no verdict`)
const startedAt = performance.now()
const rows: Row[] = []
for (const bench of chosen) rows.push(...(await runBench(bench)))
const report = { machine: before, rounds, seconds: (performance.now() - startedAt) / 1_000, rows }
process.stdout.write(`${tableText(report)}\n`)
if (values.json !== undefined) await writeFile(values.json, reportJson(report))
if (values.record) await record(report, DOCS)
if (values.profile !== undefined) say(profileText(values.profile))
if (rows.some((row) => verdictOf(row) === 'missed')) process.exitCode = 1
