import { printable, printableLine } from '../output/printable.ts'
import type { Style } from '../output/style.ts'
import { displayWidth } from '../output/width.ts'
import { worst } from './check.ts'
import type { Area, Check, Fix, Verdict } from './check.ts'
import type { DoctorReport, PeerReport } from './report.ts'
import { verdictOf } from './report.ts'

const DEFAULT_WIDTH = 80
const MIN_WIDTH = 40
const MARK_CHARS = 9 // '  problem'
const INDENT = ' '.repeat(MARK_CHARS + 2)
const MAX_TEXT = 600

/** Lines for a person. `whole`: every check of each peer; else one line a peer, and what is wrong with it. */
export function reportLines(
  report: DoctorReport,
  { width = DEFAULT_WIDTH, style, whole }: { width?: number; style: Style; whole: boolean },
): string[] {
  const columns = Math.max(MIN_WIDTH, width)
  const lines = areaLines(report.self.checks, columns, style)
  for (const peer of report.peers) {
    lines.push(
      '',
      ...(whole
        ? [style.bold(printableLine(peer.name, 80)), ...areaLines(peer.checks, columns, style)]
        : overviewLines(peer, columns, style)),
    )
  }
  return [...lines, '', summary(report, style)]
}

function areaLines(checks: readonly Check[], columns: number, style: Style): string[] {
  const areas = new Map<Area, Check[]>()
  for (const check of checks) areas.set(check.area, [...(areas.get(check.area) ?? []), check])
  return [...areas].flatMap(([area, some]) => [style.bold(area), ...some.flatMap((check) => checkLines(check, columns, style))])
}

function checkLines(check: Check, columns: number, style: Style): string[] {
  const [first = '', ...rest] = wrap(printableLine(check.text, MAX_TEXT), columns - INDENT.length)
  const mark = paint(check.status, style)(`  ${check.status}`.padEnd(MARK_CHARS))
  return [`${mark}  ${first}`, ...rest.map((line) => `${INDENT}${line}`), ...check.fixes.flatMap((fix) => fixLines(fix, columns, style))]
}

/** Commands and lines of the configuration stand alone and unbroken, so that they can be copied. */
function fixLines({ on, kind, text }: Fix, columns: number, style: Style): string[] {
  const where = on === 'here' ? '' : `on ${printableLine(on, 60)}: `
  const plain = printable(text)
  if (kind === 'advice') {
    return wrap(`${where}${plain}`, columns - INDENT.length - 2).map(
      (line, index) => `${INDENT}${style.cyan(index === 0 ? '→' : ' ')} ${line}`,
    )
  }
  const label = kind === 'config' ? `${where}in config.toml:` : where.trimEnd()
  const lines = plain.split('\n')
  const [only = ''] = lines
  const fits = lines.length === 1 && displayWidth(`${INDENT}→ ${label} ${only}`) <= columns
  if (fits) return [`${INDENT}${style.cyan('→')} ${label}${label === '' ? '' : ' '}${style.cyan(only)}`]
  if (label === '')
    return [`${INDENT}${style.cyan('→')} ${style.cyan(only)}`, ...lines.slice(1).map((line) => `${INDENT}  ${style.cyan(line)}`)]
  return [`${INDENT}${style.cyan('→')} ${label}`, ...lines.map((line) => `${INDENT}    ${style.cyan(line)}`)]
}

/** One line, and what is wrong. */
function overviewLines({ name, checks, facts }: PeerReport, columns: number, style: Style): string[] {
  const verdict = worst(checks)
  const state =
    facts?.link.state === 'up'
      ? facts.link.relayed
        ? 'linked through a relay'
        : 'linked'
      : facts?.link.state === 'suspect'
        ? 'suspect'
        : 'not linked'
  const wrong = checks.filter(({ status }) => status !== 'ok')
  const head = `${style.bold(printableLine(name, 80))}  ${paint(verdict, style)(state)}`
  return [head, ...wrong.flatMap((check) => checkLines(check, columns, style))]
}

function summary(report: DoctorReport, style: Style): string {
  const checks = [...report.self.checks, ...report.peers.flatMap((peer) => peer.checks)]
  const count = (status: Verdict): number => checks.filter((check) => check.status === status).length
  const verdict = verdictOf(report)
  if (verdict === 'ok') return style.green(`all ${checks.length} checks are ok`)
  const parts = [[count('problem'), 'problem'] as const, [count('warning'), 'warning'] as const].filter(([many]) => many > 0)
  const text = parts.map(([many, what]) => `${many} ${what}${many === 1 ? '' : 's'}`).join(', ')
  return paint(verdict, style)(`${text}; ${count('ok')} ok`)
}

function paint(status: Verdict, style: Style): (text: string) => string {
  return status === 'ok' ? style.green : status === 'warning' ? style.yellow : style.red
}

/** At blanks; a word that is longer than a line stays whole, so that it can be copied. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(`${line} ${word}`) > columns) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
