import { AppError } from '@qmtcode/protocol'
import { createChannel } from './channel.ts'
import type { Channel, ChannelComponents } from './channel.ts'
import { FRAME } from './frames.ts'
import type { Frame } from './frames.ts'
import { receiveCall } from './incoming-call.ts'
import type { IncomingCall, IncomingComponents } from './incoming-call.ts'
import type { ByteStream } from './types.ts'

export interface HostStream {
  isBusy(): boolean
  /** Busy with a call that has one answer. */
  owesAnswer(): boolean
  fail(error: AppError): void
}

/** The host's end of a kept stream. */
export function createHostStream(
  stream: ByteStream,
  components: ChannelComponents & Omit<IncomingComponents, 'channel'>,
  onClosed: (error: AppError) => void,
): HostStream {
  let lastId = 0
  let current: IncomingCall | undefined

  const receive = (channel: Channel, frame: Frame): void => {
    if (frame.callId !== lastId + 1) throw new AppError('bad_request', `call ${frame.callId} after call ${lastId}`)
    // A caller that has not heard the end of one call cannot begin the next: it would make us hold answers without bound.
    if (current && (!current.isOver() || !channel.outbox.isEmpty())) throw new AppError('bad_request', 'a call before the end of the last')
    lastId = frame.callId
    current = receiveCall({ ...components, channel }, frame)
  }
  const channel: Channel = createChannel(stream, components, {
    onFrame(frame) {
      if (frame.kind === FRAME.call || frame.kind === FRAME.callOnly) return receive(channel, frame)
      if (frame.callId > lastId) throw new AppError('bad_request', `a frame of call ${frame.callId}; the last was ${lastId}`)
      if (frame.callId === lastId && current && !current.isOver()) current.onFrame(frame)
    },
    onClosed(error) {
      current?.onClosed(error)
      current = undefined
      onClosed(error)
    },
    beforeFlush: () => current?.writer.seal(),
    onWritable: () => current?.writer.wake(),
  })
  const isBusy = (): boolean => current !== undefined && !current.isOver()
  return { isBusy, owesAnswer: () => isBusy() && current?.isUnary() === true, fail: channel.fail }
}
