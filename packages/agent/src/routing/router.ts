import { AppError, systemClock } from '@qmtcode/protocol'
import type { Clock, ModelPart, ModelRequest, PeerId, Peers, Routes } from '@qmtcode/protocol'
import type { StreamTimeouts } from '../models/guarded-stream.ts'
import type { LocalModels } from '../models/local-models.ts'
import type { RoutedCall, Router } from '../turn/types.ts'
import { openFirst } from './attempts.ts'
import type { AttemptComponents, Candidate, Place } from './attempts.ts'
import { createCooling } from './cooling.ts'
import { callPeer } from './peer-call.ts'
import { coolingKey, planOf } from './plan.ts'
import { noMesh, wishOf } from './target.ts'
import { peersOffering } from './usable-peers.ts'

export interface RouterComponents {
  localModels: Pick<LocalModels, 'stream' | 'problem'> & Partial<Pick<LocalModels, 'offers' | 'unready'>>
  node: { name: string; peerId?: PeerId }
  /** Absent where no mesh runs. */
  peers?: Peers
  routes: Routes
  /** This node's, decided when it is needed. */
  defaultModel(): Promise<{ model: string }>
  clock?: Clock
}

export interface RouterOptions {
  /** Whether a model that is missing, or whose peer is away or cannot serve, is looked for elsewhere. Default: false. */
  autoFallback?: boolean
  /** For answers of peers; this node's own are guarded by its models. */
  timeouts?: StreamTimeouts
  /** How long an answer of a peer waits for a link that broke. Default: 0, it ends with the link. */
  reconnectGraceMs?: number
  /** How long `any` waits, where nobody has the model yet, for peers that have not told what they offer. Default: 2 s. */
  recordsMs?: number
}

const OFFERS_MS = 1_000 // a turn's end waits for it
const RECORDS_MS = 2_000

/**
 * Sends model calls where the agent's policy says. Exactly there; with `autoFallback`, elsewhere, and `tried` tells why.
 * `any` takes this node if it can, else a usable peer that offers the model, and the next where one cannot serve.
 */
export function createRouter(components: RouterComponents, options: RouterOptions = {}): Router {
  const { localModels, node, peers, routes, defaultModel, clock = systemClock } = components
  const { autoFallback = false, recordsMs = RECORDS_MS } = options
  const cooling = createCooling(clock)
  const planComponents = { localModels, node, peers, cooling, defaultModel }

  const attempts: AttemptComponents = {
    openAt,
    explain: withOffers,
    onAnswer(candidate, model, error) {
      if (error) cooling.failed(coolingKey(candidate, model), error.message)
      else cooling.served(coolingKey(candidate, model))
    },
  }

  return {
    async open(call) {
      const wish = wishOf(routes.load().get(call.agent.id)?.providerTarget ?? call.agent.target, call.model ?? call.agent.model)
      const hereOnly = (call.origin?.length ?? 0) > 0 && wish.target.kind !== 'peer'
      const plan = await planOf(planComponents, wish, { autoFallback: autoFallback && !call.origin?.length, hereOnly, recordsMs })
      return await openFirst(attempts, plan, call)
    },
    async contextTokens({ model, peerId }) {
      const models = peerId === undefined || peerId === node.peerId ? localModels : peers?.models(peerId)
      const signal = AbortSignal.timeout(OFFERS_MS)
      const offers = await Promise.race([models?.offers?.({ signal }), aborted(signal)]).catch(() => []) // it is told, or it is not
      return offers?.find(({ id }) => id === model)?.contextTokens
    },
  }
  async function openAt(place: Place, model: string, call: RoutedCall): Promise<AsyncIterable<ModelPart>> {
    const request: ModelRequest = { model, options: call.options, sessionId: call.sessionId }
    if (place === 'here') {
      const problem = localModels.problem(model)
      if (problem) throw problem
      return localModels.stream(request, { signal: call.signal })
    }
    if (!peers) throw noMesh(place.name)
    if (call.origin?.length) throw onlyHere(node.name, place.name)
    return await callPeer(peers, place, {
      request: { ...request, origin: node.peerId ? [node.peerId] : [] },
      signal: call.signal,
      timeouts: options.timeouts ?? {},
      graceMs: options.reconnectGraceMs ?? 0,
      onLink: call.onLink,
    })
  }

  /** Names the peers that have the model. */
  async function withOffers(error: AppError, { peerId }: Candidate, model: string): Promise<AppError> {
    const others = (await peersOffering(peers, model)).filter((peer) => peer.peerId !== peerId)
    const [one] = others
    if (!one) return error
    const names = others.map(({ name }) => name).join(', ')
    const ways = `${names} ${others.length === 1 ? 'offers' : 'offer'} it: --model ${one.name}:${model}, or auto_fallback = true`
    const hint = [error.hint, ways].filter(Boolean).join('; ')
    return new AppError(error.code, error.message, { details: error.details, cause: error, hint })
  }
}

/** `[mesh.share] delegate` is no: what a peer asks of this node goes no further. */
const onlyHere = (here: string, there: string): AppError =>
  new AppError('forbidden', `${here} does not pass prompts of peers on to ${there}`, { hint: `connect to ${there} yourself` })

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))
