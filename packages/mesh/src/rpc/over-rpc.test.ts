import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AppError,
  isAppError,
  modelsContract,
  modelsHandlers,
  modelsOverRpc,
  peersContract,
  peersHandlers,
  peersOverRpc,
  routesContract,
  routesHandlers,
  routesOverRpc,
  sessionsContract,
  sessionsHandlers,
  sessionsOverRpc,
  trustContract,
  trustHandlers,
  trustOverRpc,
} from '@qmtcode/protocol'
import type {
  Contract,
  ContractClient,
  ContractHandlers,
  KnownPeer,
  ModelPart,
  ModelRequest,
  Models,
  PeerId,
  Peers,
  PromptId,
  Routes,
  RoutingPolicy,
  SessionEvent,
  SessionId,
  Sessions,
  Trust,
} from '@qmtcode/protocol'
import { createRpcClient } from './client.ts'
import { createRpcServer } from './server.ts'
import { memoryStreamPair } from './streams/memory.ts'

const peerId = '12D3KooWGRUfGBzkvGbS6cnyNTwDBLyUvGqKsqL8yGAvxEvGvGvG' as PeerId
const id = 'ses_abcd1234' as SessionId

function connect<C extends Contract>(contract: C, handlers: ContractHandlers<C>): ContractClient<C> & Disposable {
  const server = createRpcServer()
  const open = async () => {
    const [ours, theirs] = memoryStreamPair()
    server.accept(theirs, { contract, handlers }, {})
    return ours
  }
  const rpc = createRpcClient({ open })
  const end = (): void => {
    rpc.stop()
    server.stop()
  }
  return Object.assign(rpc.client(contract), { [Symbol.dispose]: end })
}

test('models: parts, file bytes and provider errors cross as they are', async () => {
  const finish = { type: 'finish', finishReason: { unified: 'stop' }, usage: { inputTokens: {}, outputTokens: {} } } as unknown as ModelPart
  const seen: ModelRequest[] = []
  const models: Models = {
    offers: async () => [{ id: 'p/m', provider: 'p', model: 'm', slots: 2, inFlight: 0 }],
    async *stream(request) {
      seen.push(request)
      if (request.model === 'p/limited') throw new AppError('rate_limited', 'slow', { details: { status: 429, retryAfterMs: 7 } })
      yield { type: 'text-start', id: '0' }
      yield { type: 'text-delta', id: '0', delta: 'hi' }
      yield finish
    },
  }
  using client = connect(modelsContract, modelsHandlers(models))
  const remote = modelsOverRpc(client)
  assert.equal((await remote.offers())[0]?.id, 'p/m')
  const data = new Uint8Array(200_000).fill(9)
  const prompt = [
    { role: 'user', content: [{ type: 'file', mediaType: 'image/png', data: { type: 'data', data } }] },
  ] as unknown as ModelRequest['options']['prompt']
  const parts: string[] = []
  for await (const part of remote.stream({ model: 'p/m', options: { prompt } })) parts.push(part.type)
  assert.deepEqual(parts, ['text-start', 'text-delta', 'finish'])
  assert.deepEqual(seen[0]?.options.prompt, prompt)
  await assert.rejects(
    async () => {
      for await (const _ of remote.stream({ model: 'p/limited', options: { prompt: [] } })) assert.fail('no part')
    },
    (error) => isAppError(error, 'rate_limited') && error.details?.retryAfterMs === 7,
  )
})

test('sessions: arguments keep their places, and a follow that is told to stop ends cleanly', async () => {
  const calls: unknown[][] = []
  const record =
    (name: string, answer: unknown) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args])
      return answer
    }
  const receipt = { promptId: 'pr_1', seq: 2, position: 0 }
  const event = { type: 'link.lost', sessionId: id, at: 1, peerId, node: 'n', graceMs: 1 } as SessionEvent
  const sessions = {
    prompt: record('prompt', receipt),
    answer: record('answer', undefined),
    cancel: record('cancel', undefined),
    history: record('history', { items: [] }),
    async *follow(of: SessionId, { after, signal }: { after?: number; signal?: AbortSignal } = {}) {
      calls.push(['follow', of, after])
      yield event
      await new Promise((resolve) => signal?.addEventListener('abort', resolve))
    },
  } as unknown as Sessions
  using client = connect(sessionsContract, sessionsHandlers(sessions))
  const remote = sessionsOverRpc(client)
  const content = [{ type: 'text' as const, text: 'hi' }]
  assert.deepEqual(await remote.prompt(id, { promptId: 'pr_1' as PromptId, content }), receipt)
  await remote.answer(id, { id: 'perm_1', answer: 'allow' })
  await remote.cancel(id)
  await remote.history(id, { before: 9, limit: 3 })
  const controller = new AbortController()
  const events: SessionEvent[] = []
  for await (const one of remote.follow(id, { after: 4, signal: controller.signal })) {
    events.push(one)
    controller.abort()
  }
  assert.deepEqual(events, [event])
  assert.deepEqual(calls, [
    ['prompt', id, { promptId: 'pr_1', content }],
    ['answer', id, { id: 'perm_1', answer: 'allow' }],
    ['cancel', id, undefined],
    ['history', id, { before: 9, limit: 3 }],
    ['follow', id, 4],
  ])
})

test("peers: offers of a peer pass, its other ports say that they don't", async () => {
  const peers = {
    resolve: async (name: string) => ({ peerId, name, self: false }),
    models: () => ({ offers: async () => [{ id: 'p/m', provider: 'p', model: 'm', slots: 1, inFlight: 0 }] }),
  } as unknown as Peers
  using client = connect(peersContract, peersHandlers(peers))
  const remote = peersOverRpc(client)
  assert.deepEqual(await remote.resolve('gpu'), { peerId, name: 'gpu', self: false })
  assert.equal((await remote.models(peerId).offers())[0]?.id, 'p/m')
  assert.throws(
    () => remote.models(peerId).stream({ model: 'p/m', options: { prompt: [] } }),
    (error) => isAppError(error, 'unsupported'),
  )
  assert.throws(
    () => remote.sessions(peerId),
    (error) => isAppError(error, 'unsupported'),
  )
})

test('trust and routes', async () => {
  const known: KnownPeer = { peerId, trust: 'admitted', role: 'client', use: false, source: 'person', addresses: [] }
  const calls: unknown[][] = []
  const trust = {
    admit: async (...args: unknown[]) => {
      calls.push(args)
      return known
    },
    forget: async (...args: unknown[]) => {
      calls.push(args)
    },
  } as unknown as Trust
  using trusting = connect(trustContract, trustHandlers(trust))
  assert.deepEqual(await trustOverRpc(trusting).admit(peerId, { role: 'client' }), known)
  await trustOverRpc(trusting).forget(peerId)
  assert.deepEqual(calls, [[peerId, { role: 'client', name: undefined }], [peerId]])

  const policy = (reason: string): RoutingPolicy => ({ agentId: 'coder', providerTarget: { kind: 'local' }, reason })
  const snapshot = (one: RoutingPolicy) => ({ get: () => one, policies: () => [one] })
  const routes: Routes = {
    load: () => snapshot(policy('first')),
    async *follow() {
      yield snapshot(policy('second'))
    },
  }
  using routing = connect(routesContract, routesHandlers(routes))
  const remote = await routesOverRpc(routing)
  assert.equal(remote.load().get('coder')?.reason, 'first')
  for await (const next of remote.follow()) assert.equal(next.get('coder')?.reason, 'second')
  assert.equal(remote.load().get('coder')?.reason, 'second')
})
