import { randomBytes } from 'node:crypto'
import { AppError } from '@qmtcode/protocol'
import { encodeStun, parseStun, sameEndpoint } from './stun-message.ts'
import type { Endpoint, StunMessage } from './stun-message.ts'
import type { UdpSocket } from './udp-socket.ts'

/** Which of the two sides of an attempt; each takes only what the other one sent. */
export type Side = 'caller' | 'callee'

const EVERY_MS = 100
const MAX_SOURCES = 4

export interface Probes {
  /**
   * Sends to `far` until a probe was answered. Resolves to where that one is: not always where it was said to be, since a symmetric NAT gives
   * another port to whoever is met. Rejects when `signal` aborts.
   */
  open(far: Endpoint, signal: AbortSignal): Promise<Endpoint>
  /** Answers the other side's probe, which may still wait for one. False: it is something else. */
  answer(bytes: Uint8Array, from: Endpoint): boolean
}

/** `token` is known to the two sides alone. Both send at once: what one sends opens its own NAT for the other. */
export function createProbes(socket: UdpSocket, { token, side }: { token: string; side: Side }): Probes {
  const own = `${token}:${side}`
  const others = `${token}:${side === 'caller' ? 'callee' : 'caller'}`
  const transaction = randomBytes(12).toString('hex')
  const targets: Endpoint[] = []

  const ask = (to: Endpoint): void => socket.send(encodeStun({ kind: 'request', transaction, username: own }), to)
  const isTheirs = (message: StunMessage | undefined): message is StunMessage & { kind: 'request' } =>
    message?.kind === 'request' && message.username === others
  function answer(bytes: Uint8Array, from: Endpoint): boolean {
    const message = parseStun(bytes)
    if (!isTheirs(message)) return false
    socket.send(encodeStun({ kind: 'response', transaction: message.transaction, mapped: from }), from)
    return true
  }
  return {
    answer,
    async open(far, signal) {
      targets.push(far)
      const opened = Promise.withResolvers<Endpoint>()
      const abort = (): void => opened.reject(new AppError('timeout', 'no datagram came through'))
      signal.addEventListener('abort', abort, { once: true })
      if (signal.aborted) abort()
      socket.onMessage((bytes, from) => {
        if (answer(bytes, from)) {
          if (!targets.some((target) => sameEndpoint(target, from)) && targets.length < MAX_SOURCES) targets.push(from)
          return ask(from)
        }
        const message = parseStun(bytes)
        if (message?.kind === 'response' && message.transaction === transaction) opened.resolve(from)
      })
      const timer = setInterval(() => targets.forEach(ask), EVERY_MS)
      targets.forEach(ask)
      try {
        return await opened.promise
      } finally {
        clearInterval(timer)
        signal.removeEventListener('abort', abort)
      }
    },
  }
}
