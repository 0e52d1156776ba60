// Our node against go-libp2p and rust-libp2p at their defaults: programs of interop/ are built, started, and told what to do.
// Prints a table; exits 1 when a cell failed. A language whose compiler is missing is skipped.
// Usage: node scripts/interop.ts [go] [rust]
import process from 'node:process'
import { FOREIGN, buildForeign } from '../e2e/interop/foreign-node.ts'
import type { Foreign } from '../e2e/interop/foreign-node.ts'
import { CHECKS, LINES, runLine } from '../e2e/interop/matrix.ts'
import type { Row } from '../e2e/interop/matrix.ts'

const wanted = process.argv.slice(2)
const chosen = FOREIGN.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const rows: Row[] = []
for (const foreign of chosen) rows.push(...(await rowsOf(foreign)))

process.stdout.write(`\n| node | line | ${CHECKS.join(' | ')} |\n| --- | --- |${' --- |'.repeat(CHECKS.length)}\n`)
for (const { node, line, results } of rows) {
  const cells = CHECKS.map((check) => (results.get(check) === undefined ? 'ok' : 'FAILED'))
  process.stdout.write(`| ${node} | ${line} | ${cells.join(' | ')} |\n`)
}
const failures = rows.flatMap(({ node, line, results }) =>
  [...results].flatMap(([check, problem]) => (problem === undefined ? [] : [`${node}, ${line}, ${check}: ${problem}`])),
)
for (const failure of failures) process.stderr.write(`${failure}\n`)
process.exitCode = failures.length > 0 ? 1 : 0

async function rowsOf(foreign: Foreign): Promise<Row[]> {
  const built = await buildForeign(foreign)
  if (!built) {
    process.stdout.write(`${foreign.name}: skipped: no ${foreign.compiler}\n`)
    return []
  }
  const found: Row[] = []
  for (const line of LINES) {
    process.stdout.write(`${foreign.name}, ${line.name} …\n`)
    found.push(await runLine({ ...built, name: foreign.name }, line))
  }
  return found
}
