import { join } from 'node:path'
import { isoTime } from '@qmtcode/protocol'
import type { AuditLine } from '@qmtcode/protocol'
import { followAudit, readAudit } from '../audit/read-audit.ts'
import { qmtHomeOf } from '../config/file-paths.ts'
import { duration } from '../output/format.ts'
import { jsonLine, printableLine } from '../output/printable.ts'
import type { Column } from '../output/table.ts'
import type { CommandContext } from './context.ts'
import type { AuditCommand } from './invocation.ts'
import { printList } from './list.ts'

/** Reads the file: a node may run or not. */
export async function audit(context: CommandContext, command: AuditCommand): Promise<number> {
  const { components, out, err, errStyle, interrupts } = context
  const file = join(qmtHomeOf(components.env, components.cwd), 'audit.jsonl')
  const from = command.sinceMs === undefined ? 0 : components.clock.now() - command.sinceMs
  const isMeant = (line: AuditLine): boolean => line.at >= from && isOf(line, command.peer) && (command.all || !isChatter(line))
  const coming = command.follow ? followAudit(file, { signal: interrupts.signal }) : undefined
  let unread = 0
  const rows = await newest(readAudit(file, { unread: () => (unread += 1) }), isMeant, command.limit)
  if (unread > 0) err.line(errStyle.yellow(`${unread} ${unread === 1 ? 'line' : 'lines'} of ${file} cannot be read, and are left out`))
  if (!coming) {
    printList(context, command.json, { rows, columns: COLUMNS, json: (row) => row, none: noneText(command) })
    return 0
  }
  const show = (line: AuditLine): void => out.line(command.json ? jsonLine(line) : textLine(line))
  for (const row of rows) show(row)
  for await (const line of coming) if (isMeant(line)) show(line)
  return 0
}

const noneText = ({ all, peer, sinceMs }: AuditCommand): string => {
  if (all && peer === undefined && sinceMs === undefined) return 'nothing is noted yet: qmtcode --mesh writes it'
  return `nothing of that sort is noted${all ? '' : '; what nodes tell each other by themselves: --all'}`
}

/** What no person began, and what ended as it always does: short commands leave their links in the middle of it. */
const isChatter = ({ kind, what, outcome }: AuditLine): boolean =>
  kind === 'call' && /^(bans|directory|gossip|probe|punch)\./.test(what) && ['ok', 'cancelled', 'link_lost'].includes(outcome)

async function newest(lines: AsyncIterable<AuditLine>, isMeant: (line: AuditLine) => boolean, limit: number): Promise<AuditLine[]> {
  let kept: AuditLine[] = []
  for await (const line of lines) {
    if (isMeant(line)) kept.push(line)
    if (kept.length >= 2 * limit) kept = kept.slice(-limit)
  }
  return kept.slice(-limit)
}

const COMMON_START = '12D3KooW'

function isOf({ name, peerId }: AuditLine, peer: string | undefined): boolean {
  if (peer === undefined || name === peer || peerId === peer) return true
  const start = peer.startsWith(COMMON_START) ? peer : COMMON_START + peer
  return start.length >= COMMON_START.length + 6 && peerId?.startsWith(start) === true
}

const whenText = ({ at }: AuditLine): string => isoTime(at).slice(0, 19).replace('T', ' ')
const peerText = ({ name, peerId, address }: AuditLine): string => {
  const id = peerId?.slice(0, COMMON_START.length + 6)
  if (name !== undefined && name !== id) return `${printableLine(name, 63)}${id === undefined ? '' : ` (${id.slice(COMMON_START.length)})`}`
  return id ?? printableLine(address ?? '', 60)
}
const ARROWS = { in: '←', out: '→' } as const
const whatText = ({ kind, direction, what }: AuditLine): string =>
  printableLine(`${direction ? `${ARROWS[direction]} ` : ''}${kind === 'call' ? '' : `${kind} `}${what}`, 80)
const outcomeText = ({ outcome, count }: AuditLine): string => (count === undefined ? outcome : `${outcome} × ${count}`)
const moreText = ({ target, reason, kind, address, by, user }: AuditLine): string =>
  printableLine([target, reason, kind === 'request' ? address : undefined, by && `by ${user ?? by}`].filter(Boolean).join(', '), 200)
const sizeText = ({ bytesIn, bytesOut }: AuditLine): string => (bytesIn === undefined ? '' : `${bytesIn}/${bytesOut ?? 0}`)

const COLUMNS: readonly Column<AuditLine>[] = [
  { title: 'TIME (UTC)', value: whenText },
  { title: 'PEER', value: peerText, min: 10 },
  { title: 'WHAT', value: whatText },
  { title: 'OUTCOME', value: outcomeText },
  { title: 'ABOUT', value: moreText, min: 10 },
  { title: 'TOOK', value: ({ ms }) => (ms === undefined ? '' : duration(ms)), align: 'right', spare: 1 },
  { title: 'BYTES IN/OUT', value: sizeText, align: 'right', spare: 2 },
]

const textLine = (line: AuditLine): string =>
  [whenText, peerText, whatText, outcomeText, moreText]
    .map((column) => column(line))
    .filter(Boolean)
    .join('  ')
