import { AppError, isAppError, rowKeyOf, toAppError } from '@qmtcode/protocol'
import type { DurableEvent, MeshSessionRow, SessionId, SessionInfo, Sessions } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { createEventView } from '../output/event-view.ts'
import { ago } from '../output/format.ts'
import { jsonLine, printable, printableLine } from '../output/printable.ts'
import type { Column } from '../output/table.ts'
import { stopText, turnError } from '../output/turn-end.ts'
import { withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { printList } from './list.ts'
import { showTurn } from './run.ts'
import { ALL_TIMEOUT_MS, rejectAfter, usablePeers, withSession } from './session-place.ts'
import type { SessionAt } from './session-place.ts'

const PAGE = 100

export async function sessions(context: CommandContext, { json, limit }: { json: boolean; limit: number }): Promise<number> {
  return await withNode(context, { needsPeers: true }, async (node) => {
    const { rows, failed } = await sessionsOfAll(node, limit)
    printList(context, json, { rows, columns: sessionColumns(context.components.clock.now()), json: sessionJson, none: 'no sessions yet' })
    for (const { name, error } of failed) {
      context.err.line(context.errStyle.yellow(`${printableLine(name)}: ${printableLine(error.message, 300)}`))
    }
    return 0
  })
}

/** The newest sessions here and on connected peers, under the names that this node knows them by. What a peer does not let us list is left out. */
async function sessionsOfAll(
  handle: NodeHandle,
  limit: number,
): Promise<{ rows: ListedSession[]; failed: { name: string; error: AppError }[] }> {
  const { sessions: own, peers, rows: told } = handle
  const others = await usablePeers(handle)
  const failed: { name: string; error: AppError }[] = []
  const ofPeers = others.map(async ({ name, peerId }): Promise<SessionInfo[]> => {
    using timeout = rejectAfter(ALL_TIMEOUT_MS, new AppError('timeout', `did not list its sessions within ${ALL_TIMEOUT_MS / 1_000} s`))
    try {
      const rows = await Promise.race([peers ? newest(peers.sessions(peerId), limit) : [], timeout.promise])
      return rows.map((row) => ({ ...row, node: name, peerId }))
    } catch (error) {
      if (!isAppError(error, 'forbidden', 'not_admitted', 'unsupported')) failed.push({ name, error: toAppError(error) })
      return []
    }
  })
  const listed = (await Promise.all([newest(own, limit), ...ofPeers])).flat().map((row) => listedSession(row))
  const seen = new Set(listed.map(rowKeyOf))
  const heard = (await told.list()).filter((row) => !seen.has(rowKeyOf(row))).map(heardSession)
  const rows = [...listed, ...heard]
  return { rows: rows.toSorted((a, b) => b.updatedAt - a.updatedAt).slice(0, limit), failed }
}

/** A session as `sessions` shows it: asked of its host, or heard of. */
export interface ListedSession extends Omit<SessionInfo, 'mode' | 'private'>, Pick<MeshSessionRow, 'live' | 'heard'> {
  mode?: SessionInfo['mode']
  private?: boolean
  followerCount: number
}

const listedSession = (row: SessionInfo): ListedSession => ({ ...row, live: true, followerCount: row.followers.length })

/** Members are told how many follow, not who. */
export const heardSession = ({ workspace = '', followers, ...row }: MeshSessionRow): ListedSession => ({
  ...row,
  workspace,
  followers: [],
  followerCount: followers,
})

/** The newest sessions, at most `limit`. */
export async function newest(port: Sessions, limit: number): Promise<SessionInfo[]> {
  const rows: SessionInfo[] = []
  let cursor: string | undefined
  do {
    const page = await port.list({ cursor, limit: Math.min(PAGE, limit - rows.length) })
    rows.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined && rows.length < limit)
  return rows.slice(0, limit)
}

export const sessionJson = ({ peerId, model, heard, ...rest }: ListedSession): Record<string, unknown> => ({
  ...rest,
  peerId: peerId ?? null,
  model: model ?? null,
  heard: heard ?? null,
})

/** `heard 2 min ago, via B`. */
export const heardText = (heard: MeshSessionRow['heard'], now: number): string =>
  heard === undefined ? '' : `heard ${ago(heard.at, now)}, via ${printableLine(heard.via, 63)}`

export const sessionColumns = <Row extends SessionInfo | ListedSession>(now: number): Column<Row>[] => [
  { title: 'ID', value: (row) => row.id },
  { title: 'STATE', value: (row) => row.state },
  { title: 'AGENT', value: (row) => printableLine(row.agent), spare: 2 },
  { title: 'NODE', value: (row) => printableLine(row.node, 63), spare: 3 },
  { title: 'UPDATED', value: (row) => ago(row.updatedAt, now) },
  { title: 'HEARD', value: (row) => ('heard' in row ? heardText(row.heard, now) : ''), spare: 2 },
  { title: 'TITLE', value: (row) => printableLine(row.title), min: 12 },
  { title: 'WORKSPACE', value: (row) => printableLine(row.workspace), min: 12, spare: 1 },
]

type OneSession = SessionAt & { json: boolean }

export async function showSession(context: CommandContext, { json, ...place }: OneSession): Promise<number> {
  return await withSession(context, place, async ({ sessions: port, node }) => {
    const { id } = place
    const events = await wholeHistory(port, id)
    if (json) for (const event of events) context.out.line(jsonLine(event))
    else printHistory(context, await port.get(id), { events, isRemote: node !== undefined })
    return 0
  })
}

export async function wholeHistory(port: Sessions, id: SessionId): Promise<DurableEvent[]> {
  const pages: DurableEvent[][] = []
  let before: number | undefined
  do {
    const page: DurableEvent[] = (await port.history(id, { before, limit: PAGE })).items
    pages.unshift(page)
    before = page[0]?.seq
  } while (before !== undefined && before > 1)
  return pages.flat()
}

export function printHistory(
  context: CommandContext,
  session: SessionInfo,
  { events, isRemote }: { events: readonly DurableEvent[]; isRemote: boolean },
): void {
  const { out, outStyle: style, components } = context
  const view = createEventView(
    { text: (piece) => out.write(piece), reasoning: () => {}, endMessage: () => out.write('\n'), line: (text) => out.line(text) },
    { style, isRemote },
  )
  const { id, state, agent, node, workspace } = session
  out.line(style.bold(`${id} · ${printableLine(session.title)}`))
  out.line(
    style.dim(
      `${state} · ${printableLine(agent)} on ${printableLine(node)} in ${printableLine(workspace)} · ${ago(session.updatedAt, components.clock.now())}`,
    ),
  )
  if (session.followers.length > 0) out.line(style.dim(`here now: ${session.followers.map((name) => printableLine(name, 80)).join(', ')}`))
  for (const event of events) {
    if (event.type === 'prompt.accepted') {
      const text = event.content.map((part) => (part.type === 'text' ? part.text : `[${part.mediaType}]`)).join('\n')
      out.line(`\n${style.bold(`${printableLine(event.author.user ?? event.author.node)} ›`)} ${printable(text)}`)
    }
    view.show(event)
    if (event.type !== 'turn.ended') continue
    const stopped = stopText(event) ?? turnError(event)?.message
    if (stopped !== undefined) out.line(style.yellow(printable(stopped)))
  }
}

export async function deleteSession(context: CommandContext, { json, ...place }: OneSession): Promise<number> {
  return await withSession(context, place, async ({ sessions: port }) => {
    const { id } = place
    await port.delete(id)
    context.out.line(json ? jsonLine({ id, deleted: true }, 2) : `${id} deleted`)
    return 0
  })
}

/** Continues the turn that a crash cut, and shows it as `run` does. */
export async function resumeSession(context: CommandContext, { json, ...place }: OneSession): Promise<number> {
  return await withSession(context, place, async ({ sessions: port }) => {
    const { id } = place
    const { seq } = await port.get(id)
    const begin = () => port.resume(id)
    return await showTurn(context, { sessions: port, id, after: seq, begin }, { json })
  })
}
