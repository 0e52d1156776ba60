import type { Socket } from 'node:net'
import { AppError } from '@qmtcode/protocol'

/** The first line of a connection names the service: on a libp2p stream, multistream-select does this. */
const MAX_PREFACE_BYTES = 128
const PREFACE_TIMEOUT_MS = 2_000
const NEWLINE = 0x0a

export const prefaceOf = (protocolId: string): Buffer => Buffer.from(`${protocolId}\n`)

/** Reads the first line; what follows it stays in the socket. Rejects when it is too long, too slow, or the socket ends. */
export function readPreface(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let read = Buffer.alloc(0)
    const settle = (finish: () => void): void => {
      clearTimeout(timer)
      socket.off('readable', onReadable).off('close', onClose)
      finish()
    }
    const refuse = (why: string): void =>
      settle(() => reject(new AppError('bad_request', `the local API needs a service's name first: ${why}`)))
    const onClose = (): void => refuse('the connection ended')
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      read = Buffer.concat([read, chunk])
      const end = read.indexOf(NEWLINE)
      if (end > MAX_PREFACE_BYTES || (end < 0 && read.length > MAX_PREFACE_BYTES))
        return refuse(`no line within ${MAX_PREFACE_BYTES} bytes`)
      if (end < 0) return
      const rest = read.subarray(end + 1)
      settle(() => {
        if (rest.length > 0) socket.unshift(rest)
        resolve(read.subarray(0, end).toString('utf8'))
      })
    }
    const timer = setTimeout(() => refuse(`nothing within ${PREFACE_TIMEOUT_MS} ms`), PREFACE_TIMEOUT_MS)
    socket.on('readable', onReadable).on('close', onClose)
  })
}
