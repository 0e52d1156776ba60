import { once } from 'node:events'
import { connect } from 'node:tls'
import type { ModelPart, Models } from '@qmtcode/protocol'
import { createFrameReader } from '../support/deltas.ts'
import type { DeltaKind } from '../support/deltas.ts'
import { sequential } from '../support/load.ts'
import { joinHost, makeNode } from '../support/mesh.ts'
import type { Place } from '../support/mesh.ts'
import { CLIENT_TLS } from '../support/psk.ts'
import { serveRole } from '../support/role.ts'

interface Order {
  kind: DeltaKind
  ms: number
}

interface Opened {
  models: Models
  /** Of the TLS socket. */
  port: number
}
const opened = Promise.withResolvers<Opened>()

/** The calling process of a pair. */
serveRole({
  identity: async ({ directory }: { directory: string }) => (await makeNode({ directory, name: 'caller' })).peerId,
  open: async (init: { directory: string; host: Place; port: number }) => {
    const node = await joinHost({ directory: init.directory, name: 'caller' }, init.host)
    opened.resolve({ models: node.peers.models(init.host.peerId), port: init.port })
  },
  /** As any caller of a model reads it: parsed and checked, part by part. */
  mesh: async ({ kind, ms }: Order) => {
    const { models } = await opened.promise
    const meter = createMeter()
    const left = new AbortController()
    const timer = setTimeout(() => left.abort(), ms)
    const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'go on for ever' }] }]
    try {
      for await (const part of models.stream({ model: `bench/${kind}`, options: { prompt } }, { signal: left.signal })) meter.part(part)
    } catch (error) {
      if (!left.signal.aborted) throw error
    } finally {
      clearTimeout(timer)
    }
    return meter.perSecond()
  },
  /** One call after the other on a kept stream. */
  roundTrips: async ({ ms }: { ms: number }) => {
    const { models } = await opened.promise
    return await sequential(async () => {
      await models.offers()
    }, ms)
  },
  /** Milliseconds until all of so many calls, begun together, are answered. */
  burst: async ({ calls }: { calls: number }) => {
    const { models } = await opened.promise
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: calls }, () => models.offers()))
    return performance.now() - startedAt
  },
  /** The same frames, cut and parsed, and nothing else. */
  socket: async ({ kind, ms }: Order) => {
    const { port } = await opened.promise
    const meter = createMeter()
    const socket = connect({ ...CLIENT_TLS, host: '127.0.0.1', port })
    await once(socket, 'secureConnect')
    socket.on('data', createFrameReader(meter.part))
    socket.write(kind)
    await new Promise((resolve) => setTimeout(resolve, ms))
    const perSecond = meter.perSecond()
    socket.destroy()
    return perSecond
  },
})

function createMeter() {
  let startedAt = Number.NaN
  let count = 0
  return {
    part(part: ModelPart) {
      if (Number.isNaN(startedAt)) startedAt = performance.now()
      if (part.type === 'text-delta') count += 1
    },
    perSecond: () => (1_000 * count) / (performance.now() - startedAt),
  }
}
