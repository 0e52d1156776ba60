import { AppError, toAppError } from '@qmtcode/protocol'
import type { ModelPart, ModelRequest, Peers } from '@qmtcode/protocol'
import { guarded } from '../models/guarded-stream.ts'
import type { StreamTimeouts } from '../models/guarded-stream.ts'
import { retryHint } from '../models/retry-after.ts'
import { settled } from './settled-stream.ts'
import type { PeerPlace } from './usable-peers.ts'

/** A call to a peer's model, taken: rejects with whatever the way there or the host says. */
export async function callPeer(
  peers: Peers,
  place: PeerPlace,
  call: { request: ModelRequest; signal: AbortSignal; timeouts: StreamTimeouts },
): Promise<AsyncIterable<ModelPart>> {
  const { request, signal, timeouts } = call
  const source = {
    model: `${place.name}:${request.model}`,
    open: (ended: AbortSignal) => peers.models(place.peerId).stream(request, { signal: ended }),
    toError: (error: unknown) => fromPeer(toAppError(error), place),
    endedEarly: () => new AppError('provider_error', `${place.name} ended its answer early`),
  }
  return await settled(guarded(source, { ...timeouts, signal }))
}

/** The peer's own words, with its name before them: a refused key is that node's, not this one's. */
function fromPeer(error: AppError, { name }: PeerPlace): AppError {
  const { code, message, details } = error
  const hint = error.hint ?? hintFor(error, name)
  return new AppError(code, message.includes(name) ? message : `${name}: ${message}`, { hint, details, cause: error })
}

/** A host keeps its hints to itself: they are for its own person. This one is for ours. */
function hintFor({ code, details }: AppError, name: string): string | undefined {
  const status = details?.status
  if (status === 401 || status === 403) return `the key is ${name}'s: whoever runs that node sets it there`
  if (code === 'rate_limited') return retryHint(details?.retryAfterMs)
  if (code === 'provider_error') return `the model's server is ${name}'s: its qmtcode.log tells more`
  if (code === 'timeout') return `the time is [mesh.timeouts] of ${name}`
  return undefined
}
