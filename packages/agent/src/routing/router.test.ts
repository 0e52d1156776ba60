import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import type { AgentSpec, ModelRequest, RouteTarget } from '@qmtcode/protocol'
import { createPeersKit, FINISH, readAll, SELF } from './peers-kit.ts'
import type { PeersKit } from './peers-kit.ts'
import { createRouter } from './router.ts'
import type { RouterOptions } from './router.ts'
import { createRoutingTable } from './routing-table.ts'

interface Setup extends RouterOptions {
  target: RouteTarget
  model?: string
  /** Models of this node. */
  own?: string[]
  kit?: PeersKit
}

function routerOf({ target, model, own = [], kit, ...options }: Setup) {
  const agent: AgentSpec = { id: 'coder', name: 'Coder', description: '', kind: 'delegate', capabilities: [], target, model }
  const node = { name: 'me', peerId: SELF }
  const local: ModelRequest[] = []
  const localModels = {
    problem: (id: string) => (own.includes(id) ? undefined : new AppError('model_unavailable', `no ${id} here`, { hint: 'set a key' })),
    async *stream(request: ModelRequest) {
      local.push(request)
      yield FINISH
    },
  }
  const routes = createRoutingTable({ node, peers: kit?.peers }, [agent])
  const router = createRouter(
    { localModels, node, peers: kit?.peers, routes, defaultModel: () => Promise.resolve({ model: 'own/default' }) },
    options,
  )
  const open = (written?: string, signal = new AbortController().signal) =>
    router.open({ agent, model: written, options: { prompt: [] }, sessionId: 'ses_1' as never, signal })
  return { open, local }
}

async function failureOf(opened: Promise<unknown>): Promise<AppError> {
  const error: unknown = await opened.then(
    () => assert.fail('the route was opened'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof AppError)
  return error
}

test('local stays here, with the default model where none is named', async () => {
  const { open, local } = routerOf({ target: { kind: 'local' }, own: ['own/default'] })
  const { route, parts } = await open()
  assert.deepEqual(route, { agentId: 'coder', model: 'own/default', node: 'me', peerId: SELF, reason: 'local', tried: [] })
  await readAll(parts)
  assert.equal(local[0]?.model, 'own/default')
})

test('the context of a model is as its node tells, and nothing holds up who asks', async () => {
  const offer = { id: 'rack/big', provider: 'rack', model: 'big', slots: 1, inFlight: 0, contextTokens: 8_192 }
  const kit = createPeersKit()
  const peerId = kit.set('gpu', { models: ['rack/big'] })
  const routes = createRoutingTable({ node: { name: 'me' } }, [])
  const stream = () => assert.fail('nothing is called')
  const offers = () => Promise.resolve([offer])
  const localModels = { problem: () => undefined, stream, offers }
  const router = createRouter({ localModels, node: { name: 'me', peerId: SELF }, peers: kit.peers, routes, defaultModel: stream })
  assert.equal(await router.contextTokens?.({ model: 'rack/big', peerId: SELF }), 8_192)
  assert.equal(await router.contextTokens?.({ model: 'rack/other' }), undefined)
  assert.equal(await router.contextTokens?.({ model: 'rack/big', peerId }), undefined)
  const silent = { ...kit.peers, models: () => ({ stream, offers: () => new Promise<never>(() => {}) }) }
  const held = createRouter({ localModels, node: { name: 'me', peerId: SELF }, peers: silent, routes, defaultModel: stream })
  assert.equal(await held.contextTokens?.({ model: 'rack/big', peerId }), undefined)
})

test('a model this node lacks is an error that names the peers that have it', async () => {
  const kit = createPeersKit()
  kit.set('gpu', { models: ['rack/*'] })
  kit.set('unused', { models: ['rack/big'], info: { use: false } })
  const error = await failureOf(routerOf({ target: { kind: 'local' }, model: 'rack/big', kit }).open())
  assert.equal(error.code, 'model_unavailable')
  assert.match(error.hint ?? '', /set a key; gpu offers it: --model gpu:rack\/big/)
  assert.doesNotMatch(error.hint ?? '', /unused/)
  assert.equal(kit.calls.length, 0)
})

test('peer goes exactly there, and tells where the call came from', async () => {
  const kit = createPeersKit()
  const peerId = kit.set('gpu', { models: ['rack/big'] })
  const { route, parts } = await routerOf({ target: { kind: 'peer', peer: 'gpu' }, model: 'rack/big', kit, own: ['rack/big'] }).open()
  assert.deepEqual(route, { agentId: 'coder', model: 'rack/big', node: 'gpu', peerId, reason: 'peer', tried: [] })
  const seen: string[] = []
  for await (const part of parts) seen.push(part.type)
  assert.deepEqual(seen, ['finish'])
  assert.deepEqual(kit.calls[0]?.request.origin, [SELF])
})

test('the node in a written model wins, also where the model has a colon', async () => {
  const kit = createPeersKit()
  kit.set('gpu', {})
  const { open } = routerOf({ target: { kind: 'local' }, own: ['ollama/qwen3:8b'], kit })
  assert.equal((await open('gpu:ollama/qwen3:8b')).route.node, 'gpu')
  assert.equal(kit.calls[0]?.request.model, 'ollama/qwen3:8b')
  assert.equal((await open('ollama/qwen3:8b')).route.node, 'me')
  assert.equal((await open('me:ollama/qwen3:8b')).route.node, 'me')
  assert.equal((await failureOf(open('qwen3'))).code, 'bad_request')
})

for (const code of ['peer_unreachable', 'not_admitted', 'forbidden', 'rate_limited'] as const) {
  test(`${code} of a peer reaches the caller as itself, before the route is settled`, async () => {
    const kit = createPeersKit()
    const details = code === 'rate_limited' ? { retryAfterMs: 3_000 } : undefined
    kit.set('gpu', { error: new AppError(code, 'why', { hint: 'do this', details }) })
    const error = await failureOf(routerOf({ target: { kind: 'peer', peer: 'gpu' }, model: 'a/b', kit, own: ['a/b'] }).open())
    assert.deepEqual([error.code, error.hint, error.message, error.details], [code, 'do this', 'gpu: why', details])
  })
}

test('a peer that bears the name of this node makes the name ambiguous', async () => {
  const kit = createPeersKit()
  kit.set('me', {})
  const { open } = routerOf({ target: { kind: 'peer', peer: 'me' }, model: 'a/b', kit, own: ['a/b'] })
  assert.equal((await failureOf(open())).code, 'ambiguous')
  assert.equal(
    (await routerOf({ target: { kind: 'peer', peer: 'me' }, model: 'a/b', kit: createPeersKit(), own: ['a/b'] }).open()).route.node,
    'me',
  )
})

const HINTS: [AppError, RegExp | undefined][] = [
  [new AppError('provider_error', 'why', { details: { status: 401 } }), /the key is gpu's/],
  [new AppError('provider_error', 'why'), /the model's server is gpu's/],
  [new AppError('rate_limited', 'why', { details: { retryAfterMs: 6_100 } }), /^try again in 7 s$/],
  [new AppError('timeout', 'why'), /\[mesh\.timeouts\] of gpu/],
  [new AppError('model_unavailable', 'builtin has no model "x"'), /^what gpu offers: qmtcode models/],
  [new AppError('bad_config', 'why'), /on gpu: qmtcode doctor/],
  [new AppError('busy', 'why'), undefined],
]
test('what a peer keeps to itself is said in words for our person', async () => {
  for (const [error, hint] of HINTS) {
    const kit = createPeersKit()
    kit.set('gpu', { error })
    const failure = await failureOf(routerOf({ target: { kind: 'peer', peer: 'gpu' }, model: 'a/b', kit }).open())
    if (hint) assert.match(failure.hint ?? '', hint)
    else assert.equal(failure.hint, undefined)
  }
})

test('a peer that nobody knows, and a mesh that does not run, are unreachable', async () => {
  const unknown = await failureOf(routerOf({ target: { kind: 'peer', peer: 'nobody' }, model: 'a/b', kit: createPeersKit() }).open())
  assert.equal(unknown.code, 'peer_unreachable')
  assert.match(unknown.message, /nobody/)
  const noMesh = await failureOf(routerOf({ target: { kind: 'peer', peer: 'gpu' }, model: 'a/b' }).open())
  assert.equal(noMesh.code, 'peer_unreachable')
  assert.match(noMesh.hint ?? '', /--mesh/)
})

test('auto_fallback looks on usable peers, then here, and tells what was tried', async () => {
  const kit = createPeersKit()
  kit.set('gpu', { models: ['a/b'], error: new AppError('peer_unreachable', 'gpu is away') })
  kit.set('other', { models: ['a/b'] })
  const setup = { target: { kind: 'peer' as const, peer: 'gpu' }, model: 'a/b', kit, own: ['a/b'], autoFallback: true }
  const first = (await routerOf(setup).open()).route
  assert.deepEqual([first.node, first.reason, first.tried.map(({ error }) => error)], ['other', 'fallback', ['gpu is away']])
  kit.set('other', { models: ['a/b'], error: new AppError('link_lost', 'other is gone') })
  const second = (await routerOf(setup).open()).route
  assert.deepEqual([second.node, second.reason, second.tried.map(({ node }) => node)], ['me', 'fallback', ['gpu', 'other']])
  const error = await failureOf(routerOf({ ...setup, own: [] }).open())
  assert.equal(error.code, 'peer_unreachable')
  assert.match(error.message, /gpu is away; also tried: other: other is gone; me: no a\/b here/)
})

test('auto_fallback does not go round a refusal', async () => {
  const kit = createPeersKit()
  kit.set('gpu', { error: new AppError('forbidden', 'gpu says no') })
  kit.set('other', { models: ['a/b'] })
  const error = await failureOf(routerOf({ target: { kind: 'peer', peer: 'gpu' }, model: 'a/b', kit, autoFallback: true }).open())
  assert.equal(error.code, 'forbidden')
})

test('any takes this node if it has the model, else a usable peer', async () => {
  const kit = createPeersKit()
  kit.set('gpu', { models: ['a/b'] })
  assert.equal((await routerOf({ target: { kind: 'any' }, model: 'a/b', kit, own: ['a/b'] }).open()).route.node, 'me')
  assert.equal((await routerOf({ target: { kind: 'any' }, model: 'a/b', kit }).open()).route.node, 'gpu')
})

test('an agent without a model takes a peer’s only one, and never builtin/demo unnamed', async () => {
  const kit = createPeersKit()
  kit.set('gpu', { models: ['builtin/demo', 'rack/big'] })
  const { open } = routerOf({ target: { kind: 'peer', peer: 'gpu' }, kit })
  assert.equal((await open()).route.model, 'rack/big')
  kit.set('gpu', { models: ['builtin/demo'] })
  const error = await failureOf(open())
  assert.equal(error.code, 'model_unavailable')
  assert.match(error.hint ?? '', /builtin\/demo/)
})

test('a route that is opened and not read ends the peer’s call', async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>()
  const kit = createPeersKit()
  const gpu = kit.set('gpu', {})
  const peers = {
    ...kit.peers,
    models: () => ({
      offers: () => Promise.resolve([]),
      async *stream(_request: ModelRequest, { signal }: { signal?: AbortSignal } = {}) {
        signal?.addEventListener('abort', () => resolve())
        yield { type: 'ping' as const }
        await left
      },
    }),
  }
  const { route, parts } = await routerOf({ target: { kind: 'peer', peer: 'gpu' }, model: 'a/b', kit: { ...kit, peers } }).open()
  assert.equal(route.peerId, gpu)
  await parts[Symbol.asyncIterator]().return?.()
  await left
})

test('a silent peer times out by this node’s own clock', async () => {
  const kit = createPeersKit()
  kit.set('gpu', {})
  const peers = {
    ...kit.peers,
    models: () => ({
      offers: () => Promise.resolve([]),
      async *stream() {
        yield { type: 'ping' as const }
        await new Promise<never>(() => {})
      },
    }),
  }
  const setup = { target: { kind: 'peer' as const, peer: 'gpu' }, model: 'a/b', kit: { ...kit, peers }, timeouts: { firstTokenMs: 30 } }
  const { parts } = await routerOf(setup).open()
  await assert.rejects(readAll(parts), { code: 'timeout' })
})
