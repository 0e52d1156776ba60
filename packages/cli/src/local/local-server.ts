import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import process from 'node:process'
import { createRpcServer, socketStream } from '@qmtcode/mesh/rpc'
import type { ServedContract } from '@qmtcode/mesh/rpc'
import { AppError, createBell, protocolIdOf } from '@qmtcode/protocol'
import type { Clock, Logger } from '@qmtcode/protocol'
import { isToolOf } from './descent.ts'
import { readPreface } from './preface.ts'
import { clientsOf } from './socket-client.ts'

/** The local API: the ports of this node for commands of the same user, over a socket that nobody else can open. */
export interface LocalServer extends AsyncDisposable {
  /** Resolves when no other process is connected, or at the abort. A client keeps its connections for as long as it runs. */
  untilUnused(signal: AbortSignal): Promise<void>
  /** Whether another process is connected. */
  isUsed(): boolean
  stop(): Promise<void>
}

/** Who called. */
export interface LocalClient {
  /** Whether it is a process that a tool of this node started, as far as the system tells. */
  isTool(): Promise<boolean>
}

export async function startLocalServer(
  components: { clock: Clock; log: Logger; services: (client: LocalClient) => readonly ServedContract[] },
  socketPath: string,
): Promise<LocalServer> {
  const { clock, log } = components
  const rpc = createRpcServer({ clock, log })
  const sockets = new Set<Socket>()
  const unused = createBell()

  const left = (socket: Socket): void => {
    sockets.delete(socket)
    if (sockets.size === 0) unused.ring()
  }
  const accept = async (socket: Socket): Promise<void> => {
    const services = new Map(components.services(clientOf(socket)).map((served) => [protocolIdOf(served.contract), served]))
    const served = services.get(await readPreface(socket))
    if (!served) throw new AppError('unsupported', `the local API has ${[...services.keys()].join(', ')}`)
    rpc.accept(socketStream(socket), served, {})
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => left(socket)).on('error', (error) => log.debug('local socket failed', { error: error.message }))
    accept(socket).catch((error: unknown) => {
      log.warn('refused a local connection', { error: (error as Error).message })
      socket.destroy()
    })
  })
  await listen(server, socketPath)
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    rpc.stop()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  const untilUnused = async (signal: AbortSignal): Promise<void> => {
    while (sockets.size > 0 && !signal.aborted) await unused.heard({ signal })
  }
  return { untilUnused, isUsed: () => sockets.size > 0, stop, [Symbol.asyncDispose]: stop }
}

function clientOf(socket: Socket): LocalClient {
  return {
    isTool: async () => {
      const found = await Promise.all((await clientsOf(socket)).map(async (pid) => await isToolOf(process.pid, pid)))
      return found.includes(true)
    },
  }
}

/** The holder of the home's lock owns the path: what lies there is a dead node's. */
async function listen(server: ReturnType<typeof createServer>, socketPath: string): Promise<void> {
  rmSync(socketPath, { force: true })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      // It is bound before listen() returns: nobody comes before its rights are right, whatever the home's are.
      const mask = process.umask(0o177)
      try {
        server.listen(socketPath, resolve)
      } finally {
        process.umask(mask)
      }
    })
    chmodSync(socketPath, 0o600)
  } catch (cause) {
    throw new AppError('bad_config', `cannot listen on ${socketPath}: ${(cause as Error).message}`, { cause })
  }
}
