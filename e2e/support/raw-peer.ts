import { setTimeout as delay } from 'node:timers/promises'
import { protocolIdOf, sessionsContract } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { KIND, eventually, rawCall } from '@qmtcode/testing'
import { HANDSHAKE_PROTOCOL, encodeHello } from '../../packages/mesh/src/handshake/hello.ts'
import { HELLO, dial, fate, stranger } from '../../packages/mesh/src/testing/stranger.ts'

/** What a call of a raw peer came to: the code of its error, `reset`, or what was given. */
interface RawAnswer {
  code?: string
  items: unknown[]
}

/** A peer that speaks the wire without any of our client: it may say anything. */
export interface RawPeer extends AsyncDisposable {
  peerId: PeerId
  /** `greets`: says hello, without which a connection has ten seconds. */
  connect(address: string, options?: { greets?: boolean }): Promise<void>
  /** One call, to its end; they share a stream, one after the other. */
  call(method: string, params: unknown): Promise<RawAnswer>
  open(): Promise<RawLine>
}

/** One stream of the sessions service. */
interface RawLine {
  /** To the call's end; `first` resolves with its first item, and leaves it open. */
  call(method: string, params: unknown, until?: 'end' | 'first'): Promise<RawAnswer>
}

type Node = Awaited<ReturnType<typeof stranger>>
type Connection = Awaited<ReturnType<Node['dial']>>
type Stream = Awaited<ReturnType<Connection['newStream']>>

const WAIT_MS = 20_000
const HEADER = 9

/** `transports`: beside TCP. */
export async function createRawPeer(options: { transports?: Parameters<typeof stranger>[1] } = {}): Promise<RawPeer> {
  const node = await stranger('tls', options.transports)
  let connection: Connection | undefined
  let shared: Promise<RawLine> | undefined
  const open = async (): Promise<RawLine> => {
    if (!connection) throw new Error('not connected')
    return lineOver(await connection.newStream(protocolIdOf(sessionsContract), { maxOutboundStreams: 1_000 }))
  }
  return {
    peerId: node.peerId.toString() as PeerId,
    async connect(address, { greets = false } = {}) {
      connection = await dial(node, { address })
      if (greets) await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(HELLO))
    },
    open,
    async call(method, params) {
      shared ??= open()
      const answer = await (await shared).call(method, params)
      if (answer.code === 'reset') shared = undefined
      return answer
    },
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  }
}

function lineOver(stream: Stream): RawLine {
  let bytes = Buffer.alloc(0)
  let isReset = false
  let callId = 0
  let wake = (): void => {}
  stream.addEventListener('message', ({ data }) => {
    bytes = Buffer.concat([bytes, data.subarray()])
    wake()
  })
  const ended = (): void => {
    isReset = true
    wake()
  }
  stream.addEventListener('close', ended)
  stream.addEventListener('remoteCloseWrite', ended)
  if (stream.status !== 'open') isReset = true

  const nextFrame = async (): Promise<{ kind: number; payload: Buffer } | undefined> => {
    const deadline = Date.now() + WAIT_MS
    for (;;) {
      const length = bytes.byteLength >= HEADER ? HEADER + bytes.readUInt32BE(0) : Infinity
      if (bytes.byteLength >= length) {
        const frame = bytes.subarray(0, length)
        bytes = bytes.subarray(length)
        return { kind: frame.readUInt8(4), payload: frame.subarray(HEADER) }
      }
      if (isReset) return undefined
      if (Date.now() > deadline) throw new Error('the host says nothing')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  return {
    async call(method, params, until = 'end') {
      callId += 1
      const items: unknown[] = []
      if (isReset) return { code: 'reset', items }
      stream.send(rawCall(callId, { method, params }))
      for (;;) {
        const frame = await nextFrame()
        if (!frame) return { code: 'reset', items }
        if (frame.kind === KIND.items) items.push(...(JSON.parse(frame.payload.toString()) as unknown[]))
        if (frame.kind === KIND.error) return { code: (JSON.parse(frame.payload.toString()) as { code: string }).code, items }
        if (frame.kind === KIND.end || (until === 'first' && items.length > 0)) return { items }
      }
    },
  }
}

const QUIET_MS = 1_000

/** One call on a stream of its own, to its first item or its end; a stream that says nothing is open. */
export async function callOnce(
  connection: Connection | undefined,
  protocolId: string,
  call: { method: string; params: unknown },
): Promise<RawAnswer> {
  if (!connection || connection.status !== 'open') return { code: 'reset', items: [] }
  let stream: Stream
  try {
    stream = await connection.newStream(protocolId, { signal: AbortSignal.timeout(WAIT_MS) })
  } catch {
    return { code: 'reset', items: [] }
  }
  const quiet = delay<RawAnswer>(QUIET_MS, { items: [] }, { ref: false })
  const answer = lineOver(stream).call(call.method, call.params, 'first')
  try {
    return await Promise.race([answer, call.method === 'follow' ? quiet : answer])
  } finally {
    answer.catch(() => {})
    stream.abort(new Error('enough'))
  }
}

/** Resolves when the host lets the peer call. */
export const admitted = (peer: RawPeer): Promise<unknown> =>
  eventually('the host serves the raw peer', async () => (await peer.call('list', {})).code === undefined)
