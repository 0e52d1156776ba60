// Runs the tests and closes with one line: `N passed, N failed, N skipped`.
// With CI=true a skipped test is a failure: there the tools are installed first.
// Usage: node scripts/test.ts [unit|e2e] [part of a path …]      Default: all of both.
import { globSync } from 'node:fs'
import { resolve } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import process from 'node:process'

const FILE_TIMEOUT_MS = 300_000
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
const stream = run({ files, concurrency: 2, timeout: FILE_TIMEOUT_MS, forceExit: false })
stream.on('test:summary', (summary) => {
  if (summary.file !== undefined) return
  counts.passed = summary.counts.passed
  counts.failed = summary.counts.tests - summary.counts.passed - summary.counts.skipped - summary.counts.todo
  counts.skipped = summary.counts.skipped
})
const report = stream.compose(spec)
report.pipe(process.stdout)
report.on('end', () => {
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
  const isAllRun = counts.skipped === 0 || process.env['CI'] !== 'true'
  if (!isAllRun) process.stderr.write(`CI=true: ${counts.skipped} tests were skipped; each says above what it lacks\n`)
  process.exitCode = counts.failed > 0 || counts.passed === 0 || !isAllRun ? 1 : 0
})
