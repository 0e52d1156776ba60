import { AppError, LIMITS } from '@qmtcode/protocol'
import type { ModelPart, ModelRequest, Models } from '@qmtcode/protocol'
import { createResumableCall } from './resumable-call.ts'
import { sizeOf } from './kept-parts.ts'
import type { ResumableCall } from './resumable-call.ts'

/** Model calls of peers that go on when a link breaks. A call belongs to the peer id that began it: no other reaches it. */
export interface ResumableCalls {
  /** `models` for one caller, with calls that can be resumed. */
  forCaller(caller: ResumingCaller, models: Models): Models
  stop(): void
  [Symbol.dispose](): void
}

export interface ResumingCaller {
  peerId: string
  /** Whether its calls may go on: false once it is banned, or lost its role. */
  isAllowed(): boolean
}

export interface ResumableCallsOptions {
  /** How long a call is kept for a caller whose link broke. 0: calls end with their link. */
  graceMs: number
  /** Kept of one call before its model waits. Default: 8 MiB. */
  callBytes?: number
}

interface Entry {
  call: ResumableCall
  /** What it was asked with stays in memory as long as it runs. */
  requestBytes: number
  timer?: NodeJS.Timeout
}
interface CallerCalls {
  caller: ResumingCaller
  calls: Map<string, Entry>
  watch?: NodeJS.Timeout
}

const DEFAULT_CALL_BYTES = 8_388_608 // design §7
const CALLER_BYTES = LIMITS.peerInFlightBytes
/** Ended calls whose last parts may not have arrived; nobody says when they did. */
const MAX_ENDED = 256
const MAX_ENDED_BYTES = 8_388_608
const WATCH_MS = 250 // a ban cuts within 1 s

export function createResumableCalls({ graceMs, callBytes = DEFAULT_CALL_BYTES }: ResumableCallsOptions): ResumableCalls {
  const callers = new Map<string, CallerCalls>()

  function stream(own: CallerCalls, models: Models, request: ModelRequest, signal: AbortSignal | undefined): AsyncIterable<ModelPart> {
    const { callId } = request
    if (callId === undefined || graceMs === 0) return models.stream(request, { signal })
    if (own.calls.has(callId)) throw new AppError('conflict', `there is a call ${callId} already`)
    callers.set(own.caller.peerId, own)
    const call = createResumableCall((ended) => models.stream(request, { signal: ended }), {
      hasRoom: () => call.bytes() < callBytes && bytesOf(own.calls.values()) < CALLER_BYTES,
      onUnread: () => unread(own, callId),
    })
    own.calls.set(callId, { call, requestBytes: sizeOf(request) })
    return call.read(0, { signal, isResumed: false })
  }
  function resume(own: CallerCalls, { callId, after }: { callId: string; after: number }, signal?: AbortSignal): AsyncIterable<ModelPart> {
    const entry = own.calls.get(callId)
    if (!entry) throw new AppError('not_found', 'this node does not have the call, or no longer')
    const parts = entry.call.read(after, { signal, isResumed: true })
    if (entry.call.isRead()) clearTimeout(entry.timer)
    return parts
  }
  /** Kept for the grace, behind those that wait already. */
  function unread(own: CallerCalls, callId: string): void {
    const entry = own.calls.get(callId)
    if (!entry) return
    own.calls.delete(callId)
    own.calls.set(callId, entry)
    clearTimeout(entry.timer)
    entry.timer = setTimeout(() => end(own, callId, notBack(graceMs)), graceMs).unref()
    own.watch ??= setInterval(() => look(own), WATCH_MS).unref()
    bound(own)
  }
  function end(own: CallerCalls, callId: string, reason: AppError): void {
    const entry = own.calls.get(callId)
    if (!entry) return
    own.calls.delete(callId)
    clearTimeout(entry.timer)
    entry.call.abort(reason)
    if (own.calls.size > 0) return
    clearInterval(own.watch)
    own.watch = undefined
    if (callers.get(own.caller.peerId) === own) callers.delete(own.caller.peerId)
  }
  function look(own: CallerCalls): void {
    if (!own.caller.isAllowed()) endAll(own, new AppError('forbidden', 'your role here changed'))
  }
  function endAll(own: CallerCalls, reason: AppError): void {
    for (const callId of own.calls.keys()) end(own, callId, reason)
  }
  /** The oldest go first. Looked at with each call that ends, so nothing is copied for it. */
  function bound(own: CallerCalls): void {
    const ended = { count: 0, bytes: 0 }
    const running = { count: 0, bytes: 0 }
    for (const { call, requestBytes } of own.calls.values()) {
      if (call.isRead()) continue
      const kind = call.isOver() ? ended : running
      kind.count += 1
      kind.bytes += call.isOver() ? call.bytes() : requestBytes
    }
    const isEndedFull = (): boolean => ended.count > MAX_ENDED || ended.bytes > MAX_ENDED_BYTES
    const isRunningFull = (): boolean => running.count > LIMITS.peerStreams || running.bytes > CALLER_BYTES
    for (const [callId, { call, requestBytes }] of own.calls) {
      if (!isEndedFull() && !isRunningFull()) return
      if (call.isRead() || !(call.isOver() ? isEndedFull() : isRunningFull())) continue
      const kind = call.isOver() ? ended : running
      kind.count -= 1
      kind.bytes -= call.isOver() ? call.bytes() : requestBytes
      end(own, callId, tooMany)
    }
  }
  const stop = (): void => {
    for (const own of callers.values()) endAll(own, new AppError('link_lost', 'this node stops'))
  }
  return {
    forCaller(caller, models) {
      const own = (): CallerCalls => {
        const known = callers.get(caller.peerId) ?? { caller, calls: new Map<string, Entry>() }
        known.caller = caller
        return known
      }
      return {
        offers: models.offers,
        stream: (request, { signal } = {}) => stream(own(), models, request, signal),
        resume: (point, { signal } = {}) => resume(own(), point, signal),
        leave(callId) {
          end(own(), callId, new AppError('cancelled', 'the caller cancelled'))
          return Promise.resolve()
        },
      }
    },
    stop,
    [Symbol.dispose]: stop,
  }
}

const tooMany = new AppError('busy', 'too many calls of this peer wait for it to come back')

const notBack = (graceMs: number): AppError => new AppError('link_lost', `the caller did not come back within ${graceMs / 1_000} s`)

function bytesOf(entries: Iterable<Entry>): number {
  let bytes = 0
  for (const { call } of entries) bytes += call.bytes()
  return bytes
}
