import { AppError, toAppError } from '@qmtcode/protocol'
import type { ModelPart, PeerId } from '@qmtcode/protocol'
import { isToken } from '../models/guarded-stream.ts'
import type { ChosenRoute, RoutedCall } from '../turn/types.ts'
import { mayServeElsewhere } from './elsewhere.ts'
import type { PeerPlace } from './usable-peers.ts'

/** `here`, or a peer. */
export type Place = 'here' | PeerPlace

/** A place that a call may go to. */
export interface Candidate {
  node: string
  peerId?: PeerId
  /** Absent: it cannot be asked now, as `doubt` tells. */
  place?: Place
  /** Why it is asked after all others: it lacks the model, its server is down, or it failed of late. */
  doubt?: AppError
}

export interface Plan {
  model: string
  reason: string
  /** In the order of preference. */
  candidates: readonly Candidate[]
  /** Only the first is ever meant: its failure is the call's. */
  isExact: boolean
}

export interface AttemptComponents {
  openAt(place: Place, model: string, call: RoutedCall): Promise<AsyncIterable<ModelPart>>
  /** Told how the call of a place ended: with an error before the first token, or with a token. */
  onAnswer(candidate: Candidate, model: string, error?: AppError): void
  /** The failure of an exact call, with who else could serve it. */
  explain(error: AppError, candidate: Candidate, model: string): Promise<AppError>
}

/** After the first place, so many others are asked. */
const MAX_FURTHER = 3

interface Opened {
  at: Candidate
  parts: AsyncIterator<ModelPart>
}

/**
 * Opens the first place that can serve. One that fails before the first token of its answer is left for the next, also when it was settled already:
 * then `call.onRoute` hears of the new route before its first part. After a token nothing is asked twice.
 */
export async function openFirst(components: AttemptComponents, plan: Plan, call: RoutedCall) {
  const { openAt, onAnswer, explain } = components
  const { model, candidates } = plan
  const errors = new Map<Candidate, AppError>()
  const left = inOrder(candidates).slice(0, 1 + MAX_FURTHER)

  async function next(): Promise<Opened> {
    for (;;) {
      const at = left.shift()
      if (!at) throw noneServes(plan, errors)
      try {
        if (at.place === undefined) throw at.doubt ?? new AppError('internal', `${at.node} cannot be asked`)
        return { at, parts: (await openAt(at.place, model, call))[Symbol.asyncIterator]() }
      } catch (cause) {
        await leave(at, cause)
      }
    }
  }

  /** Throws where nobody else is to be asked. */
  async function leave(at: Candidate, cause: unknown): Promise<void> {
    const error = toAppError(cause)
    if (call.signal.aborted || !mayServeElsewhere(error)) throw error
    onAnswer(at, model, error)
    if (plan.isExact) throw await explain(error, at, model)
    errors.set(at, error)
  }

  function routeTo({ at }: Opened): ChosenRoute {
    const isMeant = errors.size === 0 && (plan.reason === 'any' || at === candidates[0])
    const before = candidates.slice(0, candidates.indexOf(at))
    const tried = candidates.flatMap((candidate) => {
      const error = errors.get(candidate) ?? (before.includes(candidate) ? candidate.doubt : undefined)
      return error ? [{ node: candidate.node, peerId: candidate.peerId, error: error.message }] : []
    })
    return { agentId: call.agent.id, model, node: at.node, peerId: at.peerId, reason: isMeant ? plan.reason : 'fallback', tried }
  }

  let current = await next()
  let hasToken = false

  async function untilToken(): Promise<IteratorResult<ModelPart>> {
    for (;;) {
      try {
        const result = await current.parts.next()
        hasToken = result.done === true || isToken(result.value)
        if (hasToken) onAnswer(current.at, model)
        return result
      } catch (cause) {
        await leave(current.at, cause)
        current = await next()
        await call.onRoute?.(routeTo(current))
      }
    }
  }

  // By hand: a generator would cost two more turns of the event loop for each token.
  const parts: AsyncIterableIterator<ModelPart> = {
    next: () => (hasToken ? current.parts.next() : untilToken()),
    return: async () => (await current.parts.return?.()) ?? { done: true, value: undefined },
    [Symbol.asyncIterator]: () => parts,
  }
  return { route: routeTo(current), parts }
}

/** Those in doubt behind the others, those that cannot be asked at all last. */
function inOrder(candidates: readonly Candidate[]): Candidate[] {
  const rank = ({ place, doubt }: Candidate): number => Number(doubt !== undefined) + Number(place === undefined)
  return candidates.toSorted((one, other) => rank(one) - rank(other))
}

function noneServes({ candidates, model }: Plan, errors: ReadonlyMap<Candidate, AppError>): AppError {
  const [first, ...others] = candidates.flatMap((candidate) => {
    const error = errors.get(candidate)
    return error ? [{ node: candidate.node, error }] : []
  })
  if (!first) return new AppError('model_unavailable', `no node serves ${model} now`)
  const { code, message, hint, details } = first.error
  const told = others.map(({ node, error }) => (error.message.startsWith(`${node}: `) ? error.message : `${node}: ${error.message}`))
  const rest = told.length === 0 ? 'no other node offers it' : `also tried: ${told.join('; ')}`
  return new AppError(code, `${message}; ${rest}`, { hint, details, cause: first.error })
}
