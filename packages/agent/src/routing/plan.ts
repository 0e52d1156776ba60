import { AppError, isAppError } from '@qmtcode/protocol'
import type { PeerId, Peers } from '@qmtcode/protocol'
import type { LocalModels } from '../models/local-models.ts'
import type { Candidate, Place, Plan } from './attempts.ts'
import type { Cooling } from './cooling.ts'
import { modelOfPeer } from './peer-model.ts'
import { noMesh } from './target.ts'
import type { Wish } from './target.ts'
import { peersOffering, recordsOf } from './usable-peers.ts'

export interface PlanComponents {
  localModels: Pick<LocalModels, 'problem'> & Partial<Pick<LocalModels, 'unready'>>
  node: { name: string; peerId?: PeerId }
  peers?: Peers
  cooling: Cooling
  defaultModel(): Promise<{ model: string }>
}

export interface PlanOptions {
  autoFallback: boolean
  /** Nothing is passed on to peers. */
  hereOnly: boolean
  /** How long `any` waits for peers that have not told what they offer. */
  recordsMs: number
}

/** Where a call of this wish may go. */
export async function planOf(components: PlanComponents, wish: Wish, options: PlanOptions): Promise<Plan> {
  const { target, reason } = wish
  const isExact = options.hereOnly || (target.kind !== 'any' && !options.autoFallback)
  const model = async (): Promise<string> => wish.model ?? (await components.defaultModel()).model
  if (target.kind === 'peer') return await planForPeer(components, { name: target.peer, model: wish.model, reason, isExact })
  const wanted = await model()
  if (isExact) return { model: wanted, reason, candidates: [placeHere(components)], isExact }
  const here = await hereFor(components, wanted)
  // A gateway may serve more than it lists: what a node was asked for exactly, it is asked for first.
  if (target.kind === 'local' && here.place && here.doubt?.code === 'model_unavailable') here.doubt = undefined
  const others = await othersFor(components, wanted, here.place === undefined || here.doubt ? options.recordsMs : 0)
  // Of `any`, a node that merely lacks the model was never meant.
  const isMeant = target.kind === 'local' || here.place !== undefined || others.length === 0
  return { model: wanted, reason, candidates: [...(isMeant ? [here] : []), ...others], isExact }
}

async function planForPeer(
  components: PlanComponents,
  { name, model: wished, ...plan }: { name: string; model: string | undefined; reason: string; isExact: boolean },
): Promise<Plan> {
  const first = await locate(components, name).catch((error: unknown): Candidate => {
    const isAway = isAppError(error, 'peer_unreachable') && !isAppError(error.cause, 'not_found') // a slip in a name does not pass
    if (plan.isExact || wished === undefined || !isAway) throw error
    return { node: name, doubt: error }
  })
  const model = wished ?? (await modelAt(components, first))
  if (plan.isExact) return { ...plan, model, candidates: [first] }
  const { place } = first
  const others = (await othersFor(components, model, 0)).filter(({ peerId }) => peerId !== first.peerId)
  const here = place === 'here' ? [] : [await hereFor(components, model)]
  return { ...plan, model, candidates: [{ ...first, doubt: first.doubt ?? coolingOf(components, first, model) }, ...others, ...here] }
}

async function modelAt({ peers, defaultModel }: PlanComponents, { place, node }: Candidate): Promise<string> {
  if (place === undefined || place === 'here') return (await defaultModel()).model
  if (!peers) throw noMesh(node)
  return await modelOfPeer(peers, place)
}

async function othersFor(components: PlanComponents, model: string, waitMs: number): Promise<Candidate[]> {
  const { peers } = components
  let offering = await peersOffering(peers, model)
  if (offering.length === 0 && peers && waitMs > 0) {
    await recordsOf(peers, waitMs)
    offering = await peersOffering(peers, model)
  }
  const up = offering.map((place) => {
    const candidate = { node: place.name, peerId: place.peerId, place }
    return { ...candidate, doubt: coolingOf(components, candidate, model) }
  })
  const down = (await peersOffering(peers, model, 'down')).map((place) => {
    const doubt = new AppError('provider_error', `${place.name}: its server of ${model} does not answer`)
    return { node: place.name, peerId: place.peerId, place, doubt }
  })
  return [...up, ...down]
}

async function hereFor(components: PlanComponents, model: string): Promise<Candidate> {
  const here = placeHere(components)
  const lacks = components.localModels.problem(model)
  if (lacks) return { ...here, place: undefined, doubt: lacks }
  return { ...here, doubt: (await components.localModels.unready?.(model)) ?? coolingOf(components, here, model) }
}

const placeHere = ({ node }: PlanComponents): Candidate => ({ node: node.name, peerId: node.peerId, place: 'here' })

function coolingOf({ cooling }: PlanComponents, candidate: Candidate, model: string): AppError | undefined {
  const problem = cooling.problem(coolingKey(candidate, model))
  return problem === undefined ? undefined : new AppError('provider_error', problem)
}

export const coolingKey = ({ node, peerId }: Candidate, model: string): string => `${peerId ?? node} ${model}`

async function locate(components: PlanComponents, name: string): Promise<Candidate> {
  const { node, peers } = components
  if (name === node.peerId || (name === node.name && !peers)) return placeHere(components) // else a peer may bear the name too
  if (!peers) throw noMesh(name)
  try {
    const { peerId, name: known, self } = await peers.resolve(name)
    const place: Place = { peerId, name: known }
    return self ? placeHere(components) : { node: known, peerId, place }
  } catch (error) {
    if (!isAppError(error, 'not_found')) throw error
    throw new AppError('peer_unreachable', error.message, { hint: error.hint, cause: error })
  }
}
