import type { Stream } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import { createHelloReader, encodeHello } from './hello.ts'
import type { Hello } from './hello.ts'

/** Sends ours and reads theirs, on a stream that this side opened. Ends the stream, whatever happens. */
export async function askHello(stream: Stream, ours: Hello, timeoutMs: number): Promise<Hello> {
  return await endStream(stream, timeoutMs, async () => {
    const theirs = readHello(stream, timeoutMs)
    theirs.catch(() => undefined) // on a stream that was closed already, send throws before anybody awaits it
    stream.send(encodeHello(ours))
    return await theirs
  })
}

/** The other side of `askHello`: theirs first; `reply` makes ours, once. */
export async function answerHello(stream: Stream, reply: (theirs: Hello) => Promise<Hello>, timeoutMs: number): Promise<Hello> {
  return await endStream(stream, timeoutMs, async () => {
    const theirs = await readHello(stream, timeoutMs)
    stream.send(encodeHello(await reply(theirs)))
    return theirs
  })
}

async function endStream<T>(stream: Stream, timeoutMs: number, run: () => Promise<T>): Promise<T> {
  try {
    const result = await run()
    await stream.close({ signal: AbortSignal.timeout(timeoutMs) })
    return result
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** Reads one frame within its bound. Rejects with timeout when it does not come, with link_lost when the stream ends before. */
function readHello(stream: Stream, timeoutMs: number): Promise<Hello> {
  const { promise, resolve, reject } = Promise.withResolvers<Hello>()
  const reader = createHelloReader()
  const timer = setTimeout(() => reject(new AppError('timeout', `it sent no handshake within ${timeoutMs} ms`)), timeoutMs)
  const onMessage = ({ data }: { data: Uint8Array | { subarray(): Uint8Array } }): void => {
    try {
      const hello = reader.push(data.subarray())
      if (hello) resolve(hello)
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)))
    }
  }
  const onEnd = (): void => reject(new AppError('link_lost', 'it closed the connection before the handshake'))
  stream.addEventListener('message', onMessage)
  stream.addEventListener('remoteCloseWrite', onEnd)
  stream.addEventListener('close', onEnd)
  if (stream.status !== 'open') onEnd()
  return promise.finally(() => {
    clearTimeout(timer)
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('remoteCloseWrite', onEnd)
    stream.removeEventListener('close', onEnd)
  })
}
