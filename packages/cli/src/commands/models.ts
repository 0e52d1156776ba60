import { AppError, toAppError } from '@qmtcode/protocol'
import type { AgentModels, ModelOffer, Models, PeerInfo, Sessions } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { defaultModelLines } from '../output/mesh-lines.ts'
import { printableLine } from '../output/printable.ts'
import { tellUnmet, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { printList } from './list.ts'

interface ModelRow {
  /** `node:provider/model`. */
  id: string
  node: string
  provider: string
  model: string
  slots: number
  inFlight: number
  /** `down`: its server does not answer now. */
  state: 'up' | 'down'
  /** How much its context holds, where its server tells. */
  contextTokens?: number
  /** Only in sessions with this agent of another maker, which brings it. */
  agent?: string
}

/** How long a peer may take to list its models, before it is left out. */
const OFFERS_TIMEOUT_MS = 5_000
/** An agent of another maker is started to be asked. */
const AGENTS_TIMEOUT_MS = 60_000
const TELL_AFTER_MS = 1_000 // a wait that a person notices is explained

export async function models(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  return await withNode(context, { needsPeers: true }, async (node) => {
    const telling = setTimeout(() => context.err.line(context.errStyle.dim(WAITING)), TELL_AFTER_MS)
    const { signal } = context.interrupts
    const [offered, brought] = await Promise.all([offersOfAll(node, signal), broughtByAgents(node, signal)]).finally(() =>
      clearTimeout(telling),
    )
    const rows = [...offered.rows, ...brought.rows]
    const columns = brought.rows.length > 0 ? [...modelColumns, agentColumn] : modelColumns
    printList(context, json, { rows, columns, json: (row) => row, none: 'no models here, and none on a usable peer' })
    for (const { name, error } of [...offered.failed, ...brought.failed]) {
      const hint = error.hint === undefined ? '' : `; ${printableLine(error.hint, 300)}`
      context.err.line(context.errStyle.yellow(`${printableLine(name)}: ${printableLine(error.message, 300)}${hint}`))
    }
    await tellUnmet(context, node.peers)
    if (offered.failed.length > 0 || rows.length > 0) return 0
    for (const line of defaultModelLines(await node.status())) context.err.line(line)
    return 0
  })
}

const WAITING = `waiting for nodes, and for agents of other makers that have to be started, at most ${AGENTS_TIMEOUT_MS / 1_000} s`

interface Failure {
  name: string
  error: AppError
}

/** What agents of other makers bring, here and on usable peers that share them with this node. */
async function broughtByAgents(node: NodeHandle, signal: AbortSignal): Promise<{ rows: ModelRow[]; failed: Failure[] }> {
  const { peers } = node
  const usable = peers ? (await peers.list()).filter(isUsable) : []
  const own = { name: (await node.status()).node, sessions: node.sessions }
  const sources = peers ? [own, ...usable.map((peer) => ({ name: peer.name, sessions: peers.sessions(peer.peerId) }))] : [own]
  const answers = await Promise.all(
    sources.map((source) => broughtBy(source, AbortSignal.any([signal, AbortSignal.timeout(AGENTS_TIMEOUT_MS)]))),
  )
  return { rows: answers.flatMap(({ rows }) => rows), failed: answers.flatMap(({ failed }) => failed) }
}

async function broughtBy(
  { name, sessions }: { name: string; sessions: Sessions },
  signal: AbortSignal,
): Promise<{ rows: ModelRow[]; failed: Failure[] }> {
  try {
    const agents = await untilAborted(sessions.agentModels(), signal)
    const failed = agents.flatMap(({ agent, problem }) =>
      problem === undefined ? [] : [{ name: `${name}, agent ${agent}`, error: new AppError('provider_error', problem) }],
    )
    return { rows: agents.flatMap((agent) => rowsOf(name, agent)), failed }
  } catch (caught) {
    const error = toAppError(caught)
    // A peer that gives this node no sessions, or is older than this: its models say what there is to say.
    const isToTell = error.code === 'timeout'
    return { rows: [], failed: isToTell ? [{ name, error }] : [] }
  }
}

const rowsOf = (node: string, { agent, models }: AgentModels): ModelRow[] =>
  models.map(({ id }) => ({
    id: `${node}:${id}`,
    node,
    provider: agent,
    model: id.slice(agent.length + 1),
    slots: 0, // nothing calls it but its agent
    inFlight: 0,
    state: 'up',
    agent,
  }))

async function untilAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void =>
    aborted.reject(new AppError('timeout', `agents of other makers did not tell their models within ${AGENTS_TIMEOUT_MS / 1_000} s`))
  work.catch(() => {}) // the abort may come first
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) onAbort()
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

export async function offersOfAll(node: NodeHandle, signal: AbortSignal): Promise<{ rows: ModelRow[]; failed: Failure[] }> {
  const { peers } = node
  const usable = peers ? (await peers.list()).filter(isUsable) : []
  const own = { name: (await node.status()).node, models: node.models }
  const sources = peers ? [own, ...usable.map((peer) => ({ name: peer.name, models: peers.models(peer.peerId) }))] : [own]
  const answers = await Promise.all(sources.map((source) => offersOf(source, signal)))
  return { rows: answers.flatMap((answer) => answer.rows ?? []), failed: answers.flatMap((answer) => answer.failed ?? []) }
}

const isUsable = (peer: PeerInfo): boolean => !peer.self && peer.use && (peer.state === 'connected' || peer.state === 'suspect')

type Answer = { rows: ModelRow[]; failed?: undefined } | { rows?: undefined; failed: Failure }

/** A peer that does not answer is told of, and no reason to show nothing. */
async function offersOf(source: { name: string; models: Models }, signal: AbortSignal): Promise<Answer> {
  try {
    const offers = await source.models.offers({ signal: AbortSignal.any([signal, AbortSignal.timeout(OFFERS_TIMEOUT_MS)]) })
    return { rows: offers.map((offer) => rowOf(source.name, offer)) }
  } catch (error) {
    return { failed: { name: source.name, error: toAppError(error) } }
  }
}

const rowOf = (node: string, offer: ModelOffer): ModelRow => ({
  id: `${node}:${offer.id}`,
  node,
  provider: offer.provider,
  model: offer.model,
  slots: offer.slots,
  inFlight: offer.inFlight,
  state: offer.state ?? 'up',
  contextTokens: offer.contextTokens,
})

const modelColumns = [
  { title: 'MODEL', value: (row: ModelRow) => printableLine(row.id, 300) },
  {
    title: 'IN FLIGHT',
    value: (row: ModelRow) => (row.agent === undefined ? `${row.inFlight}/${row.slots}` : '-'),
    align: 'right' as const,
  },
  { title: 'CONTEXT', value: (row: ModelRow) => row.contextTokens?.toLocaleString('en-US') ?? '', align: 'right' as const },
  { title: 'STATE', value: (row: ModelRow) => row.state },
]

const agentColumn = { title: 'ONLY WITH', value: (row: ModelRow) => (row.agent === undefined ? '' : `--agent ${printableLine(row.agent)}`) }
