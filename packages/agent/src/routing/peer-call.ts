import { setTimeout as delay } from 'node:timers/promises'
import { AppError, isAppError, newId, resumed, toAppError } from '@qmtcode/protocol'
import type { ModelPart, ModelRequest, Models, Peers } from '@qmtcode/protocol'
import { guarded } from '../models/guarded-stream.ts'
import type { StreamTimeouts } from '../models/guarded-stream.ts'
import { retryHint } from '../models/retry-after.ts'
import type { RoutedCall } from '../turn/types.ts'
import { settled } from './settled-stream.ts'
import type { PeerPlace } from './usable-peers.ts'

export interface PeerCall {
  request: ModelRequest
  signal: AbortSignal
  timeouts: StreamTimeouts
  /** How long the call waits for a link that broke. 0: it ends. */
  graceMs: number
  onLink: RoutedCall['onLink']
}

/** A call to a peer's model, taken: rejects with whatever the way there or the host says. It outlives its link within the grace. */
export async function callPeer(peers: Peers, place: PeerPlace, call: PeerCall): Promise<AsyncIterable<ModelPart>> {
  return await settled(lasting(peers.models(place.peerId), place, call))
}

async function* lasting(models: Models, place: PeerPlace, call: PeerCall): AsyncGenerator<ModelPart> {
  const { signal, graceMs, timeouts } = call
  const request = { ...call.request, callId: graceMs === 0 ? undefined : newId('call') }
  const read: Progress = { after: 0, at: Date.now() }
  const open = (again: boolean, ended: AbortSignal | undefined): AsyncIterable<ModelPart> => {
    const source = {
      model: `${place.name}:${request.model}`,
      open: (leaving: AbortSignal) => (again ? rest(models, request, read, leaving) : models.stream(request, { signal: leaving })),
      toError: (error: unknown) => fromPeer(toAppError(error), place),
      endedEarly: () => new AppError('provider_error', `${place.name} ended its answer early`),
    }
    return guarded(source, { ...timeouts, signal: ended })
  }
  let isLost = false
  try {
    for await (const part of resumed(open, { graceMs, node: place.name, signal })) {
      if (part.type === 'link.lost' || part.type === 'link.restored') {
        isLost = part.type === 'link.lost'
        call.onLink?.({ ...part, peerId: place.peerId, node: place.name })
        continue
      }
      read.at = Date.now()
      if (part.type !== 'ping') read.after += 1
      yield part
    }
  } catch (error) {
    throw read.gone ? goneError(place, { cause: read.gone, awayMs: Date.now() - read.at, graceMs }) : error
  } finally {
    // The host would keep the call until its grace is over. Where that cannot be told it, its grace ends the call.
    if (isLost && signal.aborted && request.callId) sayEnd(models, request.callId, graceMs).catch(() => {})
  }
}

/** Pings are not counted: they are the link's. */
interface Progress {
  after: number
  /** When the last came, by the clock on the wall, which also counts what a laptop slept. */
  at: number
  /** What the host said who does not have the call any more. */
  gone?: AppError
}

/** The rest of a call. One of which nothing has arrived, and that the host does not have, begins now. */
async function* rest(models: Models, request: ModelRequest, read: Progress, signal: AbortSignal): AsyncGenerator<ModelPart> {
  const { callId = '' } = request
  try {
    if (!models.resume) throw new AppError('unsupported', 'calls to this host do not outlive their link')
    yield* models.resume({ callId, after: read.after }, { signal })
    return
  } catch (error) {
    if (!isAppError(error, 'not_found', 'unsupported')) throw error
    if (read.after > 0) {
      read.gone = error
      throw error
    }
  }
  yield* models.stream(request, { signal })
}

function goneError({ name }: PeerPlace, { cause, awayMs, graceMs }: { cause: AppError; awayMs: number; graceMs: number }): AppError {
  const lost = `lost the link to ${name} in the middle of its answer`
  const restarted = `${name} does not have the call any more; it may have restarted`
  if (cause.code === 'unsupported')
    return new AppError('link_lost', `${lost}, and ${name} does not resume calls`, { cause, hint: 'prompt again' })
  if (awayMs < graceMs) return new AppError('link_lost', `${lost}, and ${restarted}`, { cause, hint: 'prompt again' })
  const away = `nothing came from it for ${Math.round(awayMs / 1_000)} s`
  return new AppError('link_lost', `${lost}: ${away}, and a call is kept for ${graceMs / 1_000} s (did this machine sleep?)`, {
    cause,
    hint: 'prompt again; the time is [mesh] stream_reconnect_grace_secs, on both nodes',
  })
}

const SAY_END_PAUSE_MS = 500

async function sayEnd(models: Models, callId: string, graceMs: number): Promise<void> {
  const end = performance.now() + graceMs
  while (performance.now() < end) {
    try {
      return await models.leave?.(callId)
    } catch (error) {
      if (!isAppError(error, 'link_lost', 'peer_unreachable')) throw error
    }
    await delay(SAY_END_PAUSE_MS, undefined, { ref: false }) // no process lives for it
  }
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
  if (code === 'model_unavailable') return `what ${name} offers: qmtcode models`
  if (code === 'bad_config') return `it is to be mended on ${name}: qmtcode doctor tells it there`
  return undefined
}
