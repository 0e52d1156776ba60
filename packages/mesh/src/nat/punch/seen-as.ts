import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Seen } from './nat-kind.ts'
import { encodeStun, parseStun, sameEndpoint } from './stun-message.ts'
import type { Endpoint } from './stun-message.ts'
import type { UdpSocket } from './udp-socket.ts'

/** When a question is sent again. */
const REPEATS_MS = [0, 200, 400, 600, 800]

/**
 * Asks several ports how they see a socket. Two that see it alike: its number outside does not depend on who is asked.
 * Takes the socket's messages for itself, for at most two seconds. Rejects only if `signal` aborts.
 */
export async function seenAs(
  socket: UdpSocket,
  servers: readonly Endpoint[],
  options: { username: string; /** Of this machine's interfaces. */ hosts: readonly string[]; signal: AbortSignal },
): Promise<Seen> {
  const { username, hosts, signal } = options
  const questions = servers.map((server) => ({
    server,
    transaction: randomBytes(12).toString('hex'),
    mapped: undefined as Endpoint | undefined,
  }))
  const all = new AbortController()
  socket.onMessage((bytes, from) => {
    const message = parseStun(bytes)
    if (message?.kind !== 'response') return
    const question = questions.find(({ transaction, server }) => transaction === message.transaction && sameEndpoint(server, from))
    if (question) question.mapped = message.mapped
    if (questions.every(({ mapped }) => mapped)) all.abort()
  })
  const until = AbortSignal.any([signal, all.signal])
  for (const pauseMs of REPEATS_MS) {
    if (until.aborted) break
    for (const { server, transaction, mapped } of questions)
      if (!mapped) socket.send(encodeStun({ kind: 'request', transaction, username }), server)
    await delay(pauseMs + 100, undefined, { signal: until, ref: false }).catch(() => undefined)
  }
  signal.throwIfAborted()
  return judge(
    questions.flatMap(({ mapped }) => mapped ?? []),
    { local: socket.local, hosts },
  )
}

function judge(answers: readonly Endpoint[], { local, hosts }: { local: Endpoint; hosts: readonly string[] }): Seen {
  const [mapped, other] = answers
  if (!mapped) return { nat: 'unknown' }
  if (hosts.includes(mapped.host) && mapped.port === local.port) return { nat: 'none', mapped }
  if (!other) return { nat: 'unknown', mapped }
  return { nat: answers.every((answer) => sameEndpoint(answer, mapped)) ? 'independent' : 'symmetric', mapped }
}
