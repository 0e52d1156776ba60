// Runs the tests, names the files that took longest, and closes with one line: `N passed, N failed, N skipped`.
// With CI=true a skipped test is a failure: there the tools are installed first.
// Usage: node scripts/test.ts [unit|e2e] [part of a path …]      Default: all of both.
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import process from 'node:process'

const FILE_TIMEOUT_MS = 300_000
const SLOWEST = 10
/** Compiled code, kept for the next test and the next run: reading libraries is most of what a short test does. e2e/support shares it. */
process.env['NODE_COMPILE_CACHE'] ??= resolve('node_modules/.cache/qmt-e2e')
const SUITES: Record<string, string> = { unit: 'packages/*/src/**/*.test.ts', e2e: 'e2e/**/*.test.ts' }

const [first, ...rest] = process.argv.slice(2)
const named = first !== undefined && first in SUITES
const suites = named ? [first] : Object.keys(SUITES)
const parts = named || first === undefined ? rest : [first, ...rest]
const files = suites
  .flatMap((suite) => globSync(SUITES[suite] ?? '').sort())
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))

if (files.length === 0) {
  process.stderr.write(`no test file matches ${parts.join(' ')}\n`)
  process.exit(2)
}

const counts = { passed: 0, failed: 0, skipped: 0 }
const times: { file: string; ms: number }[] = []
const isLab = (file: string): boolean => file.startsWith('e2e/lab/')
const lab = files.filter(isLab)
// Tests on networks of the lab wait for most of their time: beside them the two lanes of the others keep both cores at work. What the lab
// measures are seconds between nodes of its own: they come first when they have something to do.
await Promise.all([
  runLane(lab, { concurrency: 1 }),
  runLane(
    files.filter((file) => !isLab(file)),
    { concurrency: 2, execArgv: lab.length > 0 ? [`--import=${new URL('./step-back.ts', import.meta.url).href}`] : [] },
  ),
])

for (const { file, ms } of times.sort((a, b) => b.ms - a.ms).slice(0, SLOWEST)) {
  process.stdout.write(`${String(Math.round(ms / 1_000)).padStart(4)} s  ${file}\n`)
}
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
const isAllRun = counts.skipped === 0 || process.env['CI'] !== 'true'
if (!isAllRun) process.stderr.write(`CI=true: ${counts.skipped} tests were skipped; each says above what it lacks\n`)
process.exitCode = counts.failed > 0 || counts.passed === 0 || !isAllRun ? 1 : 0

async function runLane(lane: string[], options: { concurrency: number; execArgv?: string[] }): Promise<void> {
  if (lane.length === 0) return
  const stream = run({ ...options, files: lane, timeout: FILE_TIMEOUT_MS, forceExit: false })
  stream.on('test:summary', ({ file, duration_ms: ms, counts: lanes }) => {
    if (file !== undefined) {
      times.push({ file: relative('.', file), ms })
      return
    }
    counts.passed += lanes.passed
    counts.failed += lanes.tests - lanes.passed - lanes.skipped - lanes.todo
    counts.skipped += lanes.skipped
  })
  const report = stream.compose(spec)
  report.pipe(process.stdout, { end: false })
  await once(report, 'end')
}
