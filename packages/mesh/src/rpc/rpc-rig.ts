import { createServer, connect } from 'node:net'
import type { Server } from 'node:net'
import { once } from 'node:events'
import { defineContract, stream, unary } from '@qmtcode/protocol'
import type { ContractClient, ContractHandlers } from '@qmtcode/protocol'
import { z } from 'zod'
import { createRpcClient } from './client.ts'
import type { RpcClientOptions } from './client.ts'
import { createRpcServer } from './server.ts'
import { memoryStreamPair } from './streams/memory.ts'
import { socketStream } from './streams/socket.ts'
import type { ByteStream, RpcClient, RpcServer } from './types.ts'

/** A service for tests of the engine: one method for each thing that a call can do. */
export const rigContract = defineContract('rig', 1, {
  echo: unary(z.object({ value: z.unknown() }), z.object({ value: z.unknown() })),
  size: unary(z.object({ bytes: z.instanceof(Uint8Array) }), z.object({ bytes: z.number() })),
  fail: unary(z.object({ name: z.string() }), z.object({})),
  hang: unary(z.object({}), z.object({})),
  count: stream(
    z.object({ to: z.number(), tag: z.string(), pad: z.number().optional() }),
    z.object({ n: z.number(), tag: z.string(), pad: z.string().optional() }),
  ),
  blobs: stream(z.object({ count: z.number(), bytes: z.number() }), z.object({ blob: z.instanceof(Uint8Array) })),
  breaks: stream(z.object({ after: z.number() }), z.object({ n: z.number() })),
  silent: stream(z.object({}), z.object({})),
})
export type RigHandlers = ContractHandlers<typeof rigContract>
export type RigClient = ContractClient<typeof rigContract>

export interface Rig extends AsyncDisposable {
  rpc: RpcClient
  server: RpcServer
  rig: RigClient
  /** Streams that were opened so far, the caller's ends. */
  opened: ByteStream[]
}

export type Connect = (accept: (stream: ByteStream) => void) => Promise<{ open(): Promise<ByteStream>; stop(): Promise<void> }>

export const overMemory: Connect = async (accept) => ({
  async open() {
    const [ours, theirs] = memoryStreamPair()
    accept(theirs)
    return ours
  },
  stop: async () => {},
})

export const overSockets: Connect = async (accept) => {
  const server: Server = createServer((socket) => accept(socketStream(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    async open() {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      return socketStream(socket)
    },
    async stop() {
      server.close()
      await once(server, 'close')
    },
  }
}

export async function startRig(connectOver: Connect, handlers: Partial<RigHandlers>, options: RpcClientOptions = {}): Promise<Rig> {
  const server = createRpcServer()
  const opened: ByteStream[] = []
  const link = await connectOver((stream) => server.accept(stream, { contract: rigContract, handlers: handlers as RigHandlers }, {}))
  const open = async (): Promise<ByteStream> => {
    const stream = await link.open()
    opened.push(stream)
    return stream
  }
  const rpc = createRpcClient({ open }, options)
  return {
    rpc,
    server,
    rig: rpc.client(rigContract),
    opened,
    async [Symbol.asyncDispose]() {
      rpc.stop()
      server.stop()
      await link.stop()
    },
  }
}

/** Handlers that do as their name says; `seen` tells a test what happened on the host. */
export function rigHandlers(seen: { aborted: unknown[]; running: number } = { aborted: [], running: 0 }): RigHandlers {
  const untilAbort = async (signal: AbortSignal): Promise<never> => {
    seen.running += 1
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    seen.running -= 1
    seen.aborted.push(signal.reason)
    throw signal.reason
  }
  return {
    echo: async ({ value }) => ({ value }),
    size: async ({ bytes }) => ({ bytes: bytes.byteLength }),
    fail: async ({ name }) => {
      throw new Error(`no ${name}`)
    },
    hang: async (_input, { signal }) => untilAbort(signal),
    async *count({ to, tag, pad }, { signal }) {
      seen.running += 1
      try {
        for (let n = 0; n < to && !signal.aborted; n += 1) yield { n, tag, pad: pad ? 'x'.repeat(pad) : undefined }
      } finally {
        seen.running -= 1
        if (signal.aborted) seen.aborted.push(signal.reason)
      }
    },
    async *blobs({ count, bytes }) {
      for (let n = 0; n < count; n += 1) yield { blob: new Uint8Array(bytes).fill(n) }
    },
    async *breaks({ after }) {
      for (let n = 0; n < after; n += 1) yield { n }
      throw new Error('broke')
    },
    async *silent(_input, { signal }) {
      await untilAbort(signal)
      yield {}
    },
  }
}
