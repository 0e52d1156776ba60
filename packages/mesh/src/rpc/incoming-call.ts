import { AppError, toAppError, toWireError } from '@qmtcode/protocol'
import type { CallContext, Clock, ErrorCode, Logger, Method } from '@qmtcode/protocol'
import type { PeerAccount } from './account.ts'
import type { CallHead } from './call-head.ts'
import { parseHead } from './call-head.ts'
import type { Channel } from './channel.ts'
import { FRAME, encodeFrame } from './frames.ts'
import type { Frame } from './frames.ts'
import { createInput } from './input.ts'
import type { EndedCall, RpcPeer, ServedContract } from './types.ts'
import { encodeValue } from './values.ts'
import { createWriter, writeItem } from './writer.ts'
import type { Writer } from './writer.ts'

/** The host's side of one call. Its stream is free when both sides have sent their terminal frame. */
export interface IncomingCall {
  readonly writer: Writer
  /** Whether both terminal frames are out. */
  isOver(): boolean
  isUnary(): boolean
  /** A frame with this call's id, after the first. Throws when it breaks the rules. */
  onFrame(frame: Frame): void
  onClosed(error: AppError): void
}

export interface IncomingComponents {
  channel: Channel
  served: ServedContract
  peer: RpcPeer
  account: PeerAccount
  clock: Clock
  log: Logger
  onCall?(peer: RpcPeer, call: EndedCall): void
}

type Handler = (input: unknown, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>

/** `first` is a `call` or `callOnly` frame. What is wrong with it ends the call, not the stream. */
export function receiveCall(components: IncomingComponents, first: Frame): IncomingCall {
  const { channel, served, account, log } = components
  const { callId } = first
  const writer = createWriter(channel, callId)
  const controller = new AbortController()
  const input = createInput({ channel, callId, account, onIdle: (error) => fail(error) })
  let head: CallHead | undefined
  let isCallerDone = first.kind === FRAME.callOnly
  let isHostDone = false
  let isRunning = false
  const ended = createCallEnd(components, first, () => head)

  const sayTerminal = (frame: Buffer, options: { drop: boolean; outcome: EndedCall['outcome'] }): void => {
    if (isHostDone) return
    isHostDone = true
    writer.stop(options)
    channel.post(frame)
    ended.tell(options.outcome)
  }
  const fail = (error: unknown, options = { drop: false }): void => {
    if (isHostDone) return
    if (!isRunning) input.close()
    const wire = toWireError(error)
    if (wire.code === 'internal') log.warn('rpc call failed', { service: served.contract.service, method: head?.name, error })
    sayTerminal(encodeFrame(FRAME.error, callId, JSON.stringify(wire)), { ...options, outcome: toAppError(error).code })
  }
  const run = async ({ name, method, trace, params }: CallHead): Promise<void> => {
    const parsed = parseInput(method, input.take(params))
    const handler = (served.handlers as Record<string, Handler>)[name]
    if (!handler) throw new AppError('unsupported', `${served.contract.service} ${name} is not served here`)
    const context = { signal: controller.signal, peerId: components.peer.peerId, trace }
    const result = handler(parsed, context)
    if (method.kind === 'unary') await answer(await (result as Promise<unknown>))
    else await pump(result as AsyncIterable<unknown>, { writer, hold: account, signal: controller.signal })
    sayTerminal(encodeFrame(FRAME.end, callId), { drop: false, outcome: 'ok' })
  }
  const answer = async (value: unknown): Promise<void> => {
    if (!writer.isOver()) await writeHeld(value, { writer, hold: account })
  }
  /** Owns the handler: whatever it does ends here. */
  const start = (callHead: CallHead): void => {
    account.began()
    isRunning = true
    run(callHead)
      .catch(fail)
      .finally(() => {
        input.close()
        account.ended()
      })
      .catch((error: unknown) => channel.fail(toAppError(error)))
  }
  const guarded = (step: () => void): void => {
    try {
      step()
    } catch (error) {
      fail(error)
    }
  }

  guarded(() => {
    input.weigh(first.payload)
    head = parseHead(first.payload, served)
    if (isCallerDone) start(head)
    else input.open()
  })

  return {
    writer,
    isOver: () => isCallerDone && isHostDone,
    isUnary: () => head?.method.kind === 'unary',
    onFrame(frame) {
      ended.bytesIn += frame.payload.byteLength
      switch (frame.kind) {
        case FRAME.credit:
          if (!isHostDone) writer.grant(frame.payload.readUInt32BE(0))
          return
        case FRAME.cancel:
          isCallerDone = true
          fail(new AppError('cancelled', 'the caller cancelled'), { drop: true })
          return controller.abort(new AppError('cancelled', 'the caller cancelled'))
        case FRAME.chunk:
          if (isCallerDone) throw new AppError('bad_request', 'input after the end of the input')
          if (!isHostDone) input.arrived(frame.payload, guarded)
          return
        case FRAME.end:
          if (isCallerDone) throw new AppError('bad_request', 'a second end of the input')
          isCallerDone = true
          if (!isHostDone && head) guarded(() => start(head as CallHead))
          return
        default:
          throw new AppError('bad_request', `the caller sent a frame of kind ${frame.kind} within a call`)
      }
    },
    onClosed(error) {
      if (!isHostDone) ended.tell(error.code)
      isHostDone = true
      isCallerDone = true
      if (!isRunning) input.close()
      writer.stop({ drop: true })
      controller.abort(error)
    },
  }
}

/** Counts a call, and tells once how it ended. */
function createCallEnd({ channel, served, peer, clock, onCall }: IncomingComponents, first: Frame, head: () => CallHead | undefined) {
  const begunAt = clock.monotonic()
  const givenBefore = channel.outbox.givenBytes()
  const call = {
    bytesIn: first.payload.byteLength,
    tell(outcome: 'ok' | ErrorCode): void {
      const known = head()
      onCall?.(peer, {
        service: served.contract.service,
        method: known?.name,
        input: known?.params,
        trace: known?.trace,
        outcome,
        ms: clock.monotonic() - begunAt,
        bytesIn: call.bytesIn,
        bytesOut: channel.outbox.givenBytes() - givenBefore,
      })
    },
  }
  return call
}

function parseInput(method: Method, raw: unknown): unknown {
  const result = method.input.safeParse(raw)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new AppError('bad_request', `bad input${issue?.path.length ? ` at ${issue.path.join('.')}` : ''}: ${issue?.message ?? 'invalid'}`)
}

interface Sink {
  writer: Writer
  hold: PeerAccount
}

async function pump(values: AsyncIterable<unknown>, sink: Sink & { signal: AbortSignal }): Promise<void> {
  const { writer, signal } = sink
  const iterator = values[Symbol.asyncIterator]()
  // A handler that waits for something else than its signal is told to leave. Its failure is that of the pending next().
  const leave = (): void => {
    Promise.resolve(iterator.return?.()).catch(() => {})
  }
  signal.addEventListener('abort', leave, { once: true })
  try {
    for await (const value of { [Symbol.asyncIterator]: () => iterator }) {
      if (writer.isOver()) return
      const wait = writeHeld(value, sink)
      if (wait) await wait
    }
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Undefined when it was written at once. What is too large for the credit waits in memory at the peer's expense. */
function writeHeld(value: unknown, { writer, hold }: Sink): Promise<void> | undefined {
  const encoded = encodeValue(value)
  const wait = encoded.chunks.length > 0 ? Promise.resolve() : writer.ready()
  if (!wait) {
    writer.item(encoded.text)
    return undefined
  }
  hold.hold(encoded.bytes)
  return wait.then(() => writeItem(writer, encoded)).finally(() => hold.release(encoded.bytes))
}
