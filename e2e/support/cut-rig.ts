import { createResumableCalls, createRouter } from '@qmtcode/agent'
import type { RoutedCall, Router } from '@qmtcode/agent'
import { createRpcServer } from '@qmtcode/mesh/rpc'
import { modelsContract, modelsHandlers, modelsOverRpc } from '@qmtcode/protocol'
import type { LiveEventInit, ModelPart, ModelRequest, Models, PeerId, Peers, Routes } from '@qmtcode/protocol'
import type { CutProxy } from '@qmtcode/testing'
import { openCutLine } from './cut-line.ts'

const HOST = '12D3KooWHostHostHostHostHostHostHostHostHostHostHost1' as PeerId
const CALLER = '12D3KooWCa11Ca11Ca11Ca11Ca11Ca11Ca11Ca11Ca11Ca11Ca11' as PeerId

/** A router whose one peer is reached through rpc on a TCP line that the test breaks: every byte of it is a frame's. */
export interface CutRig extends AsyncDisposable {
  proxy: CutProxy
  router: Router
  /** Each call that reached the host's model. */
  calls: { request: ModelRequest; ended: Promise<unknown> }[]
  told: LiveEventInit[]
  ask(signal?: AbortSignal): AsyncGenerator<ModelPart>
  /** The host does not serve this caller any more. */
  ban(): void
  /** Another host, which knows nothing of the first one's calls, takes its place. */
  restartHost(): void
}

export interface CutRigOptions {
  model(signal: AbortSignal): AsyncIterable<ModelPart>
  graceMs?: number
  hostGraceMs?: number
}

export async function openCutRig({ model, graceMs = 20_000, hostGraceMs = graceMs }: CutRigOptions): Promise<CutRig> {
  await using opening = new AsyncDisposableStack()
  const calls: CutRig['calls'] = []
  const told: LiveEventInit[] = []
  let isAllowed = true
  const hostModels: Models = {
    offers: () => Promise.resolve([]),
    async *stream(request, { signal } = {}) {
      const ended = Promise.withResolvers<unknown>()
      calls.push({ request, ended: ended.promise })
      const leaving = signal ?? new AbortController().signal
      leaving.addEventListener('abort', () => ended.resolve(leaving.reason), { once: true })
      yield* model(leaving)
      ended.resolve(undefined)
    },
  }
  const newHost = () => {
    const server = createRpcServer()
    const resumable = createResumableCalls({ graceMs: hostGraceMs })
    const models = resumable.forCaller({ peerId: CALLER, isAllowed: () => isAllowed }, hostModels)
    return { server, resumable, served: { contract: modelsContract, handlers: modelsHandlers(models) } }
  }
  let host = newHost()
  opening.defer(() => {
    host.server.stop()
    host.resumable.stop()
  })
  const { proxy, rpc } = opening.use(await openCutLine((stream) => host.server.accept(stream, host.served, { peerId: CALLER })))
  const router = routerTo(modelsOverRpc(rpc.client(modelsContract)), graceMs)
  const opened = opening.move()
  return {
    proxy,
    router,
    calls,
    told,
    async *ask(signal = new AbortController().signal) {
      const agent = { id: 'a', target: { kind: 'peer', peer: 'host' }, model: 'p/m' } as unknown as RoutedCall['agent']
      const options = { prompt: [] }
      const { parts } = await router.open({ agent, options, sessionId: 'ses_test' as never, signal, onLink: (event) => told.push(event) })
      yield* parts
    },
    ban() {
      isAllowed = false
    },
    restartHost() {
      host.server.stop()
      host.resumable.stop()
      host = newHost()
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

function routerTo(models: Models, reconnectGraceMs: number): Router {
  const peers = {
    resolve: () => Promise.resolve({ peerId: HOST, name: 'host', self: false }),
    list: () => Promise.resolve([]),
    models: () => models,
  } as unknown as Peers
  return createRouter(
    {
      localModels: { stream: () => models.stream({} as never), problem: () => undefined },
      node: { name: 'caller', peerId: CALLER },
      peers,
      routes: { load: () => ({ get: () => undefined, policies: () => [] }) } as unknown as Routes,
      defaultModel: () => Promise.resolve({ model: 'p/m' }),
    },
    { reconnectGraceMs },
  )
}
