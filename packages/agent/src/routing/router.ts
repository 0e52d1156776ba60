import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { ModelPart, ModelRequest, PeerId, Peers, Routes } from '@qmtcode/protocol'
import type { StreamTimeouts } from '../models/guarded-stream.ts'
import type { LocalModels } from '../models/local-models.ts'
import type { ChosenRoute, RoutedCall, Router } from '../turn/types.ts'
import { callPeer } from './peer-call.ts'
import { modelOfPeer } from './peer-model.ts'
import { noMesh, wishOf } from './target.ts'
import type { Wish } from './target.ts'
import { peersOffering } from './usable-peers.ts'
import type { PeerPlace } from './usable-peers.ts'

export interface RouterComponents {
  localModels: Pick<LocalModels, 'stream' | 'problem'> & Partial<Pick<LocalModels, 'offers'>>
  node: { name: string; peerId?: PeerId }
  /** Absent where no mesh runs. */
  peers?: Peers
  routes: Routes
  /** This node's, decided when it is needed. */
  defaultModel(): Promise<{ model: string }>
}

export interface RouterOptions {
  /** Whether a model that is missing, or whose peer is away, is looked for elsewhere. Default: false. */
  autoFallback?: boolean
  /** For answers of peers; this node's own are guarded by its models. */
  timeouts?: StreamTimeouts
  /** How long an answer of a peer waits for a link that broke. Default: 0, it ends with the link. */
  reconnectGraceMs?: number
}

/** `here`, or a peer. */
type Place = 'here' | PeerPlace
type Tried = ChosenRoute['tried']

const MAX_FALLBACKS = 3
const OFFERS_MS = 1_000 // a turn's end waits for it

/**
 * Sends model calls where the agent's policy says. Exactly there; with `autoFallback`, elsewhere, and `tried` tells why.
 * `any` takes this node if it can, else the first usable peer that offers the model.
 */
export function createRouter(components: RouterComponents, options: RouterOptions = {}): Router {
  const { localModels, node, peers, routes, defaultModel } = components

  return {
    async open(call) {
      const wish = wishOf(routes.load().get(call.agent.id)?.providerTarget ?? call.agent.target, call.model ?? call.agent.model)
      const { place, model } = await settle(wish)
      const opened = (at: Place, reason: string, tried: Tried, parts: AsyncIterable<ModelPart>) => ({
        route: { agentId: call.agent.id, model, ...labelOf(at), reason, tried },
        parts,
      })
      try {
        return opened(place, wish.reason, [], await openAt(place, model, call))
      } catch (cause) {
        const error = toAppError(cause)
        if (!options.autoFallback || !isMissing(error)) throw await withOffers(error, model, place)
        const tried: Tried = [{ ...labelOf(place), error: error.message }]
        const found = await fallBack(place, model, { call, tried })
        if (!found) throw withTried(error, tried)
        return opened(found.place, 'fallback', tried, found.parts)
      }
    },
    async contextTokens({ model, peerId }) {
      const models = peerId === undefined || peerId === node.peerId ? localModels : peers?.models(peerId)
      const signal = AbortSignal.timeout(OFFERS_MS)
      const offers = await Promise.race([models?.offers?.({ signal }), aborted(signal)]).catch(() => []) // it is told, or it is not
      return offers?.find(({ id }) => id === model)?.contextTokens
    },
  }

  /** Which place the wish means, and which model there. */
  async function settle({ target, model }: Wish): Promise<{ place: Place; model: string }> {
    if (target.kind === 'peer') {
      const place = await locate(target.peer)
      if (place !== 'here') return { place, model: model ?? (await modelOfPeer(mesh(target.peer), place)) }
      return { place, model: model ?? (await defaultModel()).model }
    }
    const wanted = model ?? (await defaultModel()).model
    if (target.kind === 'local' || !localModels.problem(wanted)) return { place: 'here', model: wanted }
    const [first] = await peersOffering(peers, wanted)
    return { place: first ?? 'here', model: wanted }
  }

  async function locate(name: string): Promise<Place> {
    if (name === node.peerId || (name === node.name && !peers)) return 'here' // else a peer may bear the name too
    try {
      const { peerId, name: known, self } = await mesh(name).resolve(name)
      return self ? 'here' : { peerId, name: known }
    } catch (error) {
      if (!isAppError(error, 'not_found')) throw error
      throw new AppError('peer_unreachable', error.message, { hint: error.hint, cause: error })
    }
  }

  function mesh(name: string): Peers {
    if (!peers) throw noMesh(name)
    return peers
  }

  async function openAt(place: Place, model: string, call: RoutedCall): Promise<AsyncIterable<ModelPart>> {
    const request: ModelRequest = { model, options: call.options, sessionId: call.sessionId }
    if (place !== 'here') {
      if (call.origin?.length) throw onlyHere(node.name, place.name)
      const origin = [...(call.origin ?? []), ...(node.peerId ? [node.peerId] : [])]
      return await callPeer(mesh(place.name), place, {
        request: { ...request, origin },
        signal: call.signal,
        timeouts: options.timeouts ?? {},
        graceMs: options.reconnectGraceMs ?? 0,
        onLink: call.onLink,
      })
    }
    const problem = localModels.problem(model)
    if (problem) throw problem
    return localModels.stream(request, { signal: call.signal })
  }

  /** Usable peers that offer the model, then this node. Adds to `tried` what failed on the way. */
  async function fallBack(first: Place, model: string, { call, tried }: { call: RoutedCall; tried: Tried }) {
    const others = (await peersOffering(peers, model)).filter((peer) => first === 'here' || peer.peerId !== first.peerId)
    const places: Place[] = [...others.slice(0, MAX_FALLBACKS), ...(first === 'here' ? [] : ['here' as const])]
    for (const place of places) {
      try {
        return { place, parts: await openAt(place, model, call) }
      } catch (error) {
        if (!isMissing(error)) throw error
        tried.push({ ...labelOf(place), error: toAppError(error).message })
      }
    }
    return undefined
  }

  function labelOf(place: Place): { node: string; peerId?: PeerId } {
    return place === 'here' ? { node: node.name, peerId: node.peerId } : { node: place.name, peerId: place.peerId }
  }

  /** A missing model names the peers that have it. */
  async function withOffers(error: AppError, model: string, place: Place): Promise<AppError> {
    if (error.code !== 'model_unavailable') return error
    const others = (await peersOffering(peers, model)).filter((peer) => place === 'here' || peer.peerId !== place.peerId)
    const [one] = others
    if (!one) return error
    const names = others.map(({ name }) => name).join(', ')
    const hint = [
      error.hint,
      `${names} ${others.length === 1 ? 'offers' : 'offer'} it: --model ${one.name}:${model}, or auto_fallback = true`,
    ]
    return new AppError(error.code, error.message, { details: error.details, cause: error, hint: hint.filter(Boolean).join('; ') })
  }
}

/** `[mesh.share] delegate` is no: what a peer asks of this node goes no further. */
const onlyHere = (here: string, there: string): AppError =>
  new AppError('forbidden', `${here} does not pass prompts of peers on to ${there}`, { hint: `connect to ${there} yourself` })

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))

const isMissing = (error: unknown): boolean => isAppError(error, 'model_unavailable', 'peer_unreachable', 'link_lost')

function withTried(error: AppError, tried: Tried): AppError {
  const others = tried.slice(1).map(({ node, error: why }) => `${node}: ${why}`)
  const message = others.length === 0 ? `${error.message}; no other node offers it` : `${error.message}; also tried: ${others.join('; ')}`
  return new AppError(error.code, message, { hint: error.hint, details: error.details, cause: error })
}
