import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { PeerId, SessionId, Sessions } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { printableLine } from '../output/printable.ts'
import { withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { sessionsOf } from './run.ts'

/** How long a peer may take to answer what is asked of all of them, before it is left out. */
export const ALL_TIMEOUT_MS = 5_000

/** A session, and whose; without a node: this one's, else the one peer's that has it. */
export interface SessionAt {
  node?: string
  id: SessionId
}

export interface FoundSession {
  handle: NodeHandle
  /** Of the session's host. */
  sessions: Sessions
  /** The host's name, where it is a peer. */
  node?: string
}

/** Opens a node and works with a session wherever it is. Throws not_found, or ambiguous with the nodes that have one of this id. */
export async function withSession<Value>(
  context: CommandContext,
  { node, id }: SessionAt,
  use: (found: FoundSession) => Promise<Value>,
): Promise<Value> {
  if (node !== undefined) {
    return await withNode(context, { needsPeers: true }, async (handle) => {
      return await use({ handle, sessions: await sessionsOf(handle, node), node })
    })
  }
  const here = await withNode(context, {}, async (handle) => {
    try {
      await handle.sessions.get(id)
    } catch (error) {
      if (handle.peers && isAppError(error, 'not_found')) return 'elsewhere'
      throw error
    }
    return { value: await use({ handle, sessions: handle.sessions }) }
  })
  if (here !== 'elsewhere') return here.value
  return await withNode(context, { needsPeers: true }, async (handle) => await use({ handle, ...(await findOnPeers(handle, id)) }))
}

/** Peers that can be asked now. */
export async function usablePeers({ peers }: NodeHandle): Promise<{ name: string; peerId: PeerId }[]> {
  const all = (await peers?.list()) ?? []
  return all.filter(({ self, use, state }) => !self && use && (state === 'connected' || state === 'suspect'))
}

async function findOnPeers(handle: NodeHandle, id: SessionId): Promise<{ sessions: Sessions; node: string }> {
  const { peers } = handle
  const asked = await usablePeers(handle)
  const failed: string[] = []
  const looked = asked.map(async ({ name, peerId }) => {
    const sessions = peers?.sessions(peerId)
    using timeout = rejectAfter(ALL_TIMEOUT_MS, new AppError('timeout', 'did not answer in time'))
    try {
      await Promise.race([sessions?.get(id), timeout.promise])
      return sessions ? [{ sessions, node: name }] : []
    } catch (error) {
      if (!isAppError(error, 'not_found')) failed.push(`${printableLine(name, 63)}: ${printableLine(toAppError(error).message, 200)}`)
      return []
    }
  })
  const [only, ...others] = (await Promise.all(looked)).flat()
  if (only && others.length === 0) return only
  if (!only) {
    const where =
      asked.length === 0 ? 'here; no peer is connected' : `here or on ${asked.map(({ name }) => printableLine(name, 63)).join(', ')}`
    const why = failed.length === 0 ? '' : ` (${failed.join('; ')})`
    throw new AppError('not_found', `no session ${id} ${where}${why}`, { hint: 'see: qmtcode sessions' })
  }
  const names = [only, ...others].map((found) => `${printableLine(found.node, 63)}/${id}`)
  throw new AppError('ambiguous', `${names.length} nodes have a session ${id}: ${names.join(', ')}`, { hint: 'name the node too: NODE/ID' })
}

export function rejectAfter(ms: number, error: AppError): { promise: Promise<never> } & Disposable {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {}) // nobody may be waiting any more
  const timer = setTimeout(() => reject(error), ms)
  return { promise, [Symbol.dispose]: () => clearTimeout(timer) }
}
