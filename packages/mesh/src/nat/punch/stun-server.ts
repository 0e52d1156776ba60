import { randomBytes } from 'node:crypto'
import { AppError, toAppError } from '@qmtcode/protocol'
import type { Clock, PeerId } from '@qmtcode/protocol'
import { encodeStun, parseStun } from './stun-message.ts'
import { openUdp } from './udp-socket.ts'
import type { UdpSocket } from './udp-socket.ts'

/** Tells admitted peers how they are seen, over UDP. Whoever has no pass gets no answer: to others its ports are silent. */
export interface StunServer {
  /** Never rejects: see `problem`. `host`: where to listen. */
  start(host: string): Promise<void>
  /** Two ports to ask, and the username that is answered there for a while. Throws unsupported where it does not listen. */
  allow(peerId: PeerId): { ports: number[]; username: string }
  ports(): number[]
  problem(): string | undefined
  stop(): void
}

const PASS_MS = 60_000
const ANSWERS_A_PASS = 32
const PASSES_A_PEER = 8
const MAX_PASSES = 4_096

interface Pass {
  peerId: PeerId
  until: number
  answers: number
}

/** Listens on `port` and on the next one; with port 0 on any two. */
export function createStunServer({ clock }: { clock: Clock }, options: { port: number }): StunServer {
  const { port } = options
  const passes = new Map<string, Pass>()
  let sockets: UdpSocket[] = []
  let problem: string | undefined = 'it has not started'

  function serve(socket: UdpSocket): void {
    socket.onMessage((bytes, from) => {
      const message = parseStun(bytes)
      const pass = message?.kind === 'request' ? passes.get(message.username) : undefined
      if (!message || !pass || pass.until < clock.monotonic() || pass.answers >= ANSWERS_A_PASS) return
      pass.answers += 1
      // 32 bytes, fewer than the request has: nobody is worth impersonating for it.
      socket.send(encodeStun({ kind: 'response', transaction: message.transaction, mapped: from }), from)
    })
  }
  function forget(peerId: PeerId): void {
    const now = clock.monotonic()
    for (const [username, { until }] of passes) if (until < now) passes.delete(username)
    const its = [...passes].filter(([, pass]) => pass.peerId === peerId)
    for (const [username] of its.slice(0, Math.max(0, its.length - PASSES_A_PEER + 1))) passes.delete(username)
    for (const oldest of passes.keys()) if (passes.size >= MAX_PASSES) passes.delete(oldest)
  }
  return {
    async start(host) {
      for (const wanted of port === 0 ? [0, 0] : [port, port + 1]) {
        try {
          const socket = await openUdp({ host, port: wanted })
          sockets.push(socket)
          serve(socket)
        } catch (error) {
          problem = `no STUN for peers behind NATs, UDP port ${wanted}: ${toAppError(error).message}`
          return
        }
      }
      problem = undefined
    },
    allow(peerId) {
      if (sockets.length === 0) throw new AppError('unsupported', problem ?? 'no STUN here')
      forget(peerId)
      const username = randomBytes(18).toString('base64url')
      passes.set(username, { peerId, until: clock.monotonic() + PASS_MS, answers: 0 })
      return { ports: sockets.map(({ local }) => local.port), username }
    },
    ports: () => sockets.map(({ local }) => local.port),
    problem: () => problem,
    stop() {
      for (const socket of sockets) socket.close()
      sockets = []
      passes.clear()
    },
  }
}
