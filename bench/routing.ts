import { createRouter, createRoutingTable } from '@qmtcode/agent'
import type { RoutedCall } from '@qmtcode/agent'
import { AppError, newSessionId } from '@qmtcode/protocol'
import type { AgentSpec, ModelPart, PeerId, PeerInfo, Peers, RouteTarget } from '@qmtcode/protocol'
import type { Bench } from './support/bench.ts'
import { rowOf } from './support/rounds.ts'

const NODES = 200
const MODELS = 20
const WARM_CALLS = 2_000
const ROUND_CALLS = 2_000
const LAST = `node-${NODES - 1}`
const MODEL = `lab-${NODES - 1}/model-${MODELS - 1}` // nobody else has it

const infoOf = (index: number): PeerInfo => ({
  name: `node-${index}`,
  peerId: `12D3KooW${String(index).padStart(44, '1')}` as PeerId,
  self: false,
  state: 'connected',
  trust: 'admitted',
  role: 'client',
  roleThere: 'client',
  use: true,
  relayed: false,
  addresses: [],
  bytesIn: 0,
  bytesOut: 0,
  labels: [],
  models: Array.from({ length: MODELS }, (_, model) => `lab-${index}/model-${model}`),
  agents: [],
  sessions: 0,
  load: { inFlight: 0, slots: 8, queued: 0 },
})

/** How long it takes to know where a call goes, in a mesh that answers at once. */
export const routing: Bench = {
  name: 'routing',
  async run({ rounds }) {
    const targets: Record<string, { target: RouteTarget; budget?: { atMost: number } }> = {
      'a named peer': { target: { kind: 'peer', peer: LAST }, budget: { atMost: 50 } },
      any: { target: { kind: 'any' } },
    }
    const rows = []
    for (const [what, { target, budget }] of Object.entries(targets)) {
      await using routes = createRoutingTable({ node: { name: 'bench' }, peers: meshOf(NODES) }, [agentOf(target)])
      await routes.start()
      const decide = decisions(routes, agentOf(target))
      await decide(WARM_CALLS)
      const figures: number[] = []
      for (let round = 0; round < rounds; round += 1) figures.push(await decide(ROUND_CALLS))
      const init = { bench: 'routing', what: `a routing decision among ${NODES} nodes × ${MODELS} models: ${what}`, unit: 'µs', budget }
      rows.push(rowOf({ ...init, note: 'with the first part of the answer, from memory' }, figures))
    }
    return rows
  },
}

const agentOf = (target: RouteTarget): AgentSpec => ({
  id: 'bench',
  name: 'bench',
  description: '',
  kind: 'local',
  capabilities: [],
  model: MODEL,
  target,
})

/** Microseconds a call, over so many. */
function decisions(routes: ReturnType<typeof createRoutingTable>, agent: AgentSpec): (calls: number) => Promise<number> {
  const peers = meshOf(NODES)
  const nobodyHere = { problem: () => new AppError('model_unavailable', 'not here'), stream: answer }
  const router = createRouter({
    localModels: nobodyHere,
    node: { name: 'bench' },
    peers,
    routes,
    defaultModel: () => Promise.resolve({ model: MODEL }),
  })
  const call: RoutedCall = { agent, options: { prompt: [] }, sessionId: newSessionId(), signal: new AbortController().signal }
  return async (calls) => {
    const startedAt = performance.now()
    for (let count = 0; count < calls; count += 1) {
      const { route, parts } = await router.open(call)
      if (route.node !== LAST) throw new Error(`went to ${route.node}`)
      await parts[Symbol.asyncIterator]().return?.()
    }
    return (1_000 * (performance.now() - startedAt)) / calls
  }
}

async function* answer(): AsyncGenerator<ModelPart> {
  yield { type: 'stream-start', warnings: [] }
  yield { type: 'text-start', id: '0' }
}

function meshOf(count: number): Peers {
  const infos = Array.from({ length: count }, (_, index) => infoOf(index))
  const byName = new Map(infos.map((info) => [info.name, info]))
  return {
    status: () => Promise.reject(new Error('not asked')),
    list: () => Promise.resolve(infos),
    resolve: (name) => {
      const info = byName.get(name)
      return info ? Promise.resolve({ peerId: info.peerId, name, self: false }) : Promise.reject(new Error(`no ${name}`))
    },
    sessions: () => {
      throw new Error('not asked')
    },
    models: () => ({ offers: () => Promise.resolve([]), stream: answer }),
    async *follow() {
      // nothing changes
    },
  }
}
