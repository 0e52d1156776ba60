import { AppError, fromWireError, wireErrorSchema } from '@qmtcode/protocol'
import type { Channel } from './channel.ts'
import { FRAME, RPC_VERSION, encodeFrame } from './frames.ts'
import type { Frame } from './frames.ts'
import { createInbox } from './inbox.ts'
import { parseJson } from './values.ts'
import type { EncodedValue } from './values.ts'
import { createWriter } from './writer.ts'
import type { Writer } from './writer.ts'

/** A cancelled host must answer within this, or the stream is reset. */
const CANCEL_GRACE_MS = 2_000

export interface CallRequest {
  method: string
  trace: string
  params: EncodedValue
  /** Makes an item of JSON, or throws. */
  parse(raw: unknown): unknown
}

/** The caller's side of one call. Its stream is free when both sides have sent their terminal frame. */
export interface OutgoingCall {
  readonly writer: Writer
  next(): Promise<IteratorResult<unknown, undefined>>
  /** The consumer hears `reason` at once, the host a cancel. No-op once all has arrived. */
  cancel(reason: AppError): void
  /** Whether any byte of it may have reached the host. */
  wasSent(): boolean
  /** So far. */
  bytes(): { bytesIn: number; bytesOut: number }
  /** Once, when nothing more can arrive; at once when that is so already. `error`: what the host ended it with, or the link. */
  onOver(listener: (error?: AppError) => void): void
  /** A frame with this call's id. Throws when it breaks the rules. */
  onFrame(frame: Frame): void
  onClosed(error: AppError): void
}

export interface OutgoingComponents {
  channel: Channel
  callId: number
  onFree(): void
  cancelGraceMs?: number
}

export function startCall(components: OutgoingComponents, request: CallRequest): OutgoingCall {
  const { channel, callId, onFree, cancelGraceMs = CANCEL_GRACE_MS } = components
  const writer = createWriter(channel, callId)
  const inbox = createInbox(channel, callId, { parse: request.parse, onBroken: () => abandon() })
  const sentBefore = channel.outbox.sentBytes()
  let isCallerDone = request.params.chunks.length === 0
  let isHostDone = false
  let isCancelled = false
  let isFree = false
  let over: ((error?: AppError) => void) | undefined
  let failure: AppError | undefined
  let bytesIn = 0
  let grace: NodeJS.Timeout | undefined

  const freeIfDone = (): void => {
    if (isFree || !isCallerDone || !isHostDone || channel.isClosed()) return
    isFree = true
    clearTimeout(grace)
    onFree()
  }
  const sayTerminal = (kind: typeof FRAME.end | typeof FRAME.cancel): void => {
    isCallerDone = true
    writer.stop({ drop: true })
    channel.post(encodeFrame(kind, callId))
  }
  const abandon = (): void => {
    if (isHostDone || isCancelled || channel.isClosed()) return
    isCancelled = true
    sayTerminal(FRAME.cancel)
    grace = setTimeout(() => channel.fail(new AppError('link_lost', 'the host does not answer a cancel')), cancelGraceMs)
  }
  const cancel = (reason: AppError): void => {
    inbox.drop(reason)
    abandon()
  }
  const upload = async (): Promise<void> => {
    await writer.chunks(request.params.chunks)
    if (!isCallerDone && !channel.isClosed()) sayTerminal(FRAME.end)
    freeIfDone()
  }
  const hostEnds = (error?: AppError): void => {
    isHostDone = true
    failure = error
    inbox.end(error)
    over?.(error)
    if (!isCallerDone) sayTerminal(FRAME.cancel)
    freeIfDone()
  }

  channel.post(encodeFrame(isCallerDone ? FRAME.callOnly : FRAME.call, callId, headOf(request)))
  if (!isCallerDone) upload().catch((error: unknown) => cancel(new AppError('internal', 'the input cannot be sent', { cause: error })))

  return {
    writer,
    next: inbox.next,
    cancel,
    onOver(listener) {
      if (isHostDone) listener(failure)
      else over = listener
    },
    wasSent: () => channel.outbox.sentBytes() > sentBefore,
    bytes: () => ({ bytesIn, bytesOut: channel.outbox.sentBytes() - sentBefore }),
    onFrame(frame) {
      if (isHostDone) return
      bytesIn += frame.payload.byteLength
      switch (frame.kind) {
        case FRAME.items:
          return inbox.items(frame.payload)
        case FRAME.chunk:
          return inbox.chunk(frame.payload)
        case FRAME.end:
          return hostEnds()
        case FRAME.error:
          return hostEnds(errorOf(frame.payload))
        case FRAME.credit:
          return writer.grant(frame.payload.readUInt32BE(0))
        case FRAME.call:
        case FRAME.callOnly:
        case FRAME.cancel:
          throw new AppError('bad_request', `the host sent a frame of kind ${frame.kind}, which only callers send`)
      }
    },
    onClosed(error) {
      clearTimeout(grace)
      writer.stop({ drop: true })
      if (isHostDone) return
      isHostDone = true
      failure = error
      inbox.end(error)
      over?.(error)
    },
  }
}

const headOf = ({ method, trace, params }: CallRequest): string =>
  `{"v":${RPC_VERSION},"method":${JSON.stringify(method)},"trace":${JSON.stringify(trace)},"params":${params.text}}`

function errorOf(payload: Buffer): AppError {
  const parsed = wireErrorSchema.safeParse(parseJson(payload.toString('utf8')))
  if (!parsed.success) throw new AppError('bad_request', 'an error frame that is not an error')
  return fromWireError(parsed.data)
}
