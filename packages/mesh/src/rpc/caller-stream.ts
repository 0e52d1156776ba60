import { AppError } from '@qmtcode/protocol'
import { createChannel } from './channel.ts'
import type { ChannelComponents } from './channel.ts'
import { MAX_CALL_ID } from './frames.ts'
import { startCall } from './outgoing-call.ts'
import type { CallRequest, OutgoingCall } from './outgoing-call.ts'
import type { ByteStream } from './types.ts'

/** The caller's end of a kept stream: one call at a time, ids counting up from 1. */
export interface CallerStream {
  /** Only on a free stream. */
  start(request: CallRequest): OutgoingCall
  isAlive(): boolean
  fail(error: AppError): void
  close(): void
}

export interface CallerStreamEvents {
  /** Both terminal frames are out: the next call may come. */
  onFree(): void
  onClosed(): void
}

export function createCallerStream(stream: ByteStream, components: ChannelComponents, events: CallerStreamEvents): CallerStream {
  let lastId = 0
  let current: OutgoingCall | undefined

  const channel = createChannel(stream, components, {
    onFrame(frame) {
      if (frame.callId > lastId) throw new AppError('bad_request', `a frame of call ${frame.callId}; the last was ${lastId}`)
      if (frame.callId === lastId) current?.onFrame(frame)
    },
    onClosed(error) {
      current?.onClosed(error)
      current = undefined
      events.onClosed()
    },
    beforeFlush: () => current?.writer.seal(),
    onWritable: () => current?.writer.wake(),
  })
  return {
    start(request) {
      lastId += 1
      const onFree = (): void => {
        current = undefined
        if (lastId === MAX_CALL_ID) channel.close()
        else events.onFree()
      }
      const call = startCall({ channel, callId: lastId, onFree }, request)
      if (channel.isClosed()) call.onClosed(new AppError('link_lost', 'the stream closed before the call left'))
      else current = call
      return call
    },
    isAlive: () => !channel.isClosed(),
    fail: channel.fail,
    close: channel.close,
  }
}
