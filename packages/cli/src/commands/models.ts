import { toAppError } from '@qmtcode/protocol'
import type { AppError, ModelOffer, Models, PeerInfo } from '@qmtcode/protocol'
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
}

/** How long a peer may take to list its models, before it is left out. */
const OFFERS_TIMEOUT_MS = 5_000

export async function models(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  return await withNode(context, { needsPeers: true }, async (node) => {
    const { rows, failed } = await offersOfAll(node, context.interrupts.signal)
    printList(context, json, { rows, columns, json: (row) => row, none: 'no models here, and none on a usable peer' })
    for (const { name, error } of failed) {
      const hint = error.hint === undefined ? '' : `; ${printableLine(error.hint, 300)}`
      context.err.line(context.errStyle.yellow(`${printableLine(name)}: ${printableLine(error.message, 300)}${hint}`))
    }
    await tellUnmet(context, node.peers)
    if (failed.length > 0 || rows.length > 0) return 0
    for (const line of defaultModelLines(await node.status())) context.err.line(line)
    return 0
  })
}

export async function offersOfAll(
  node: NodeHandle,
  signal: AbortSignal,
): Promise<{ rows: ModelRow[]; failed: { name: string; error: AppError }[] }> {
  const { peers } = node
  const usable = peers ? (await peers.list()).filter(isUsable) : []
  const own = { name: (await node.status()).node, models: node.models }
  const sources = peers ? [own, ...usable.map((peer) => ({ name: peer.name, models: peers.models(peer.peerId) }))] : [own]
  const answers = await Promise.all(sources.map((source) => offersOf(source, signal)))
  return { rows: answers.flatMap((answer) => answer.rows ?? []), failed: answers.flatMap((answer) => answer.failed ?? []) }
}

const isUsable = (peer: PeerInfo): boolean => !peer.self && peer.use && (peer.state === 'connected' || peer.state === 'suspect')

type Answer = { rows: ModelRow[]; failed?: undefined } | { rows?: undefined; failed: { name: string; error: AppError } }

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
})

const columns = [
  { title: 'MODEL', value: (row: ModelRow) => printableLine(row.id, 300) },
  { title: 'IN FLIGHT', value: (row: ModelRow) => `${row.inFlight}/${row.slots}`, align: 'right' as const },
]
