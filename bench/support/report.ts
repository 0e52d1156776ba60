import { readFile, writeFile } from 'node:fs/promises'
import { verdictOf } from './bench.ts'
import type { Budget, Row } from './bench.ts'
import type { Machine } from './machine.ts'
import { short } from './stats.ts'

/** Average number of processes that ran in the minute before. */
export const QUIET_LOAD = 0.5
const MARKS = { from: '<!-- bench: written by `npm run bench -- --record` -->', to: '<!-- /bench -->' }

export interface Report {
  machine: Machine
  rounds: number
  /** Of the whole run. */
  seconds: number
  rows: Row[]
}

const budgetText = (budget: Budget | undefined, unit: string): string => {
  if (!budget) return ''
  return 'atMost' in budget ? `≤ ${short(budget.atMost)} ${unit}` : `≥ ${short(budget.atLeast)} ${unit}`
}

const cellsOf = (row: Row): string[] => [
  row.what,
  budgetText(row.budget, row.unit),
  row.measured === undefined ? '' : `${short(row.measured)} ${row.unit}`,
  verdictOf(row),
  row.rounds.length > 1 ? `${short(Math.min(...row.rounds))} … ${short(Math.max(...row.rounds))}` : '',
  row.note ?? '',
]
const HEAD = ['what', 'budget', 'measured', 'verdict', 'rounds', 'behind it']

/** The head and a line a row, every column as wide as its widest cell. */
function paddedLines(rows: readonly Row[]): string[][] {
  const lines = [HEAD, ...rows.map(cellsOf)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)))
  return lines.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
}

/** For a terminal. */
export const tableText = ({ rows }: Report): string =>
  paddedLines(rows)
    .map((cells) => cells.join('  ').trimEnd())
    .join('\n')

export const reportJson = (report: Report): string =>
  `${JSON.stringify({ ...report, rows: report.rows.map((row) => ({ ...row, verdict: verdictOf(row) })) }, null, 2)}\n`

function markdown(report: Report): string {
  const { machine, rounds, seconds, rows } = report
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const [head = [], ...lines] = paddedLines(rows)
  return [
    MARKS.from,
    '',
    `${machine.date}, Node ${machine.node}, ${machine.os}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB; load before the run ${machine.loadBefore}.`,
    ...(machine.loadBefore > QUIET_LOAD ? ['**The machine was not quiet**: these figures are no verdict.'] : []),
    `All processes on this machine, over loopback. Medians of ${rounds} interleaved, warmed rounds; ${Math.round(seconds)} s in all.`,
    '',
    line(head),
    line(head.map((cell) => '-'.repeat(cell.length))),
    ...lines.map(line),
    '',
    MARKS.to,
  ].join('\n')
}

/** Writes the figures beside the docs, and the page's table from them; the rest of the page is its authors'. */
export async function record(report: Report, docs: URL): Promise<void> {
  const page = new URL('measured.md', docs)
  const text = await readFile(page, 'utf8')
  const from = text.indexOf(MARKS.from)
  const to = text.indexOf(MARKS.to)
  if (from === -1 || to < from) throw new Error(`${page.pathname} has no place for the table: ${MARKS.from} … ${MARKS.to}`)
  await writeFile(page, text.slice(0, from) + markdown(report) + text.slice(to + MARKS.to.length))
  await writeFile(new URL('measured.json', docs), reportJson(report))
}
