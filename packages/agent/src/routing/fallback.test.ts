import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import type { AgentSpec, ErrorCode, ErrorDetails, ModelPart, ModelRequest, PeerId, RouteTarget } from '@qmtcode/protocol'
import type { ChosenRoute } from '../turn/types.ts'
import { createPeersKit, FINISH, readAll, SELF } from './peers-kit.ts'
import type { PeersKit } from './peers-kit.ts'
import { createRouter } from './router.ts'
import { createRoutingTable } from './routing-table.ts'

const START: ModelPart = { type: 'stream-start', warnings: [] }
const TOKEN: ModelPart = { type: 'text-delta', id: '0', delta: 'a' }

/** A node with models of its own that answer as `own` says, and what its calls did. */
function createRig(options: { kit?: PeersKit; own?: Answer; autoFallback?: boolean; unready?: AppError; lacks?: boolean }) {
  const { kit = createPeersKit() } = options
  const time = { ms: 0 }
  const rig = { kit, time, own: options.own ?? {}, asked: 0, routes: [] as ChosenRoute[] }
  const localModels = {
    problem: () => (options.lacks ? new AppError('model_unavailable', 'no a/b here') : undefined),
    unready: () => Promise.resolve(options.unready),
    async *stream(_request: ModelRequest) {
      rig.asked += 1
      yield* rig.own.parts ?? []
      if (rig.own.error) throw rig.own.error
      yield FINISH
    },
  }
  const routes = createRoutingTable({ node: { name: 'me', peerId: SELF } }, [])
  const clock = { now: () => time.ms, monotonic: () => time.ms }
  const router = createRouter(
    {
      localModels,
      node: { name: 'me', peerId: SELF },
      peers: kit.peers,
      routes,
      clock,
      defaultModel: () => Promise.resolve({ model: 'a/b' }),
    },
    { autoFallback: options.autoFallback, recordsMs: 200 },
  )
  const onRoute = (route: ChosenRoute): Promise<void> => Promise.resolve(void rig.routes.push(route))
  /** The whole call: the node that answered, or the failure. */
  async function call(target: RouteTarget): Promise<{ route: ChosenRoute; parts: ModelPart[] }> {
    const agent: AgentSpec = { id: 'coder', name: 'Coder', description: '', kind: 'delegate', capabilities: [], target, model: 'a/b' }
    const signal = new AbortController().signal
    const opened = await router.open({ agent, options: { prompt: [] }, sessionId: 'ses_1' as never, signal, onRoute })
    const parts = await readAll(opened.parts)
    return { route: rig.routes.at(-1) ?? opened.route, parts }
  }
  return { ...rig, rig, call }
}

interface Answer {
  parts?: ModelPart[]
  error?: AppError
}

const ANY: RouteTarget = { kind: 'any' }
const GPU: RouteTarget = { kind: 'peer', peer: 'gpu' }
const LOCAL: RouteTarget = { kind: 'local' }
const TARGETS: readonly RouteTarget[] = [ANY, LOCAL, GPU]

const FAULTS: [code: ErrorCode, details: ErrorDetails | undefined, elsewhere: boolean][] = [
  ['provider_error', undefined, true],
  ['provider_error', { providerCode: 'ECONNREFUSED' }, true],
  ['provider_error', { status: 500 }, true],
  ['provider_error', { status: 503 }, true],
  ['provider_error', { status: 401 }, true],
  ['provider_error', { status: 529 }, true],
  ['provider_error', { status: 400 }, false],
  ['provider_error', { status: 413 }, false],
  ['provider_error', { status: 422 }, false],
  ['model_unavailable', { status: 404 }, true],
  ['model_unavailable', undefined, true],
  ['peer_unreachable', undefined, true],
  ['link_lost', undefined, true],
  ['busy', undefined, true],
  ['timeout', undefined, true],
  ['internal', undefined, true],
  ['bad_config', undefined, true],
  ['unsupported', undefined, true],
  ['interrupted', undefined, true],
  ['rate_limited', undefined, true],
  ['rate_limited', { retryAfterMs: 3_600_000 }, true],
  ['rate_limited', { retryAfterMs: 2_000 }, false],
  ['forbidden', undefined, false],
  ['not_admitted', undefined, false],
  ['bad_request', undefined, false],
  ['too_large', undefined, false],
]
const WHEN: [string, ModelPart[]][] = [
  ['before anything', []],
  ['after its announcement', [START]],
  ['after a ping and its announcement', [{ type: 'ping' }, START]],
]

test('kind 4: what cannot serve, here or at a peer, is left for the next as long as no word came, by any and by auto_fallback', async () => {
  for (const [code, details, elsewhere] of FAULTS) {
    for (const [when, parts] of WHEN) {
      for (const target of TARGETS) {
        const name = `${code} ${JSON.stringify(details)}, ${when}, ${target.kind}`
        const kit = createPeersKit()
        const error = new AppError(code, 'it cannot', { details })
        kit.set('gpu', { models: ['a/b'], parts, ...(target === GPU && { end: error }) })
        kit.set('other', { models: ['a/b'] })
        if (target !== GPU) kit.set('gpu', { models: [] })
        const rig = createRig({ kit, own: { parts, error: target === GPU ? undefined : error }, autoFallback: target !== ANY })
        const outcome = await rig.call(target).catch((failure: unknown) => failure)
        if (elsewhere) {
          assert.ok(!(outcome instanceof Error), `${name}: ${String(outcome)}`)
          const { route } = outcome as { route: ChosenRoute }
          assert.deepEqual([route.node, route.reason], ['other', 'fallback'], name)
          assert.deepEqual(
            route.tried.map(({ node, error: why }) => [node, why.includes('it cannot')]),
            [[target === GPU ? 'gpu' : 'me', true]],
            name,
          )
        } else {
          assert.ok(outcome instanceof AppError && outcome.code === code, `${name}: ${String(outcome)}`)
          assert.ok(
            kit.calls.every(({ peer }) => peer !== 'other'),
            name,
          )
        }
      }
    }
  }
})

test('kind 4: after a word of the answer nothing is asked twice', async () => {
  const kit = createPeersKit()
  kit.set('other', { models: ['a/b'] })
  const rig = createRig({ kit, own: { parts: [START, TOKEN], error: new AppError('provider_error', 'it broke') }, autoFallback: true })
  await assert.rejects(rig.call(LOCAL), { message: 'it broke' })
  assert.equal(kit.calls.length, 0)
})

test('kind 4: at most three further places are asked, and the error names all of them', async () => {
  const kit = createPeersKit()
  const names = ['one', 'two', 'three', 'four', 'five']
  for (const name of names) kit.set(name, { models: ['a/b'], error: new AppError('provider_error', `${name} is out of memory`) })
  const rig = createRig({ kit, own: { error: new AppError('provider_error', 'connection refused') } })
  const failure: unknown = await rig.call(ANY).catch((error: unknown) => error)
  assert.ok(failure instanceof AppError)
  assert.equal(
    failure.message,
    'connection refused; also tried: one: one is out of memory; two: two is out of memory; three: three is out of memory',
  )
  assert.deepEqual(
    kit.calls.map(({ peer }) => peer),
    ['one', 'two', 'three'],
  )
})

test('kind 4: without auto_fallback one place is asked, and whoever has the model is named', async () => {
  const kit = createPeersKit()
  kit.set('gpu', { models: ['a/b'], error: new AppError('provider_error', 'out of memory') })
  kit.set('other', { models: ['a/b'] })
  const rig = createRig({ kit })
  const failure: unknown = await rig.call(GPU).catch((error: unknown) => error)
  assert.ok(failure instanceof AppError)
  assert.match(failure.hint ?? '', /other offers it: --model other:a\/b, or auto_fallback = true/)
  assert.equal(kit.calls.length, 1)
})

test('a place that failed is passed over until it serves again', async () => {
  const kit = createPeersKit()
  const fails = { models: ['a/b'], error: new AppError('provider_error', 'out of memory') }
  kit.set('gpu', fails)
  kit.set('other', { models: ['a/b'] })
  const { call, time } = createRig({ kit, autoFallback: true, lacks: true })
  const asked = async (): Promise<string[]> => {
    kit.calls.length = 0
    await call(GPU)
    return kit.calls.map(({ peer }) => peer)
  }
  assert.deepEqual(await asked(), ['gpu', 'other'])
  assert.deepEqual(await asked(), ['other'])
  assert.match((await call(GPU)).route.tried[0]?.error ?? '', /passed over, since it failed 0 s ago: .*out of memory/)
  time.ms += 16_000
  assert.deepEqual(await asked(), ['gpu', 'other'], 'it is tried again')
  time.ms += 16_000
  assert.deepEqual(await asked(), ['other'], 'and passed over for longer')
  time.ms += 16_000
  kit.set('gpu', { models: ['a/b'] })
  assert.deepEqual(await asked(), ['gpu'], 'it serves')
  kit.set('gpu', fails)
  assert.deepEqual(await asked(), ['gpu', 'other'])
  kit.set('other', fails)
  assert.equal(await asked().catch((error: AppError) => error.code), 'provider_error')
  assert.deepEqual(kit.calls.map(({ peer }) => peer).toSorted(), ['gpu', 'other'], 'where nobody is left, all are asked')
})

test('any passes over its own server that is down, and takes it where nobody else has the model', async () => {
  const down = new AppError('provider_error', 'Ollama at http://127.0.0.1:11434/v1 does not answer')
  const kit = createPeersKit()
  kit.set('gpu', { models: ['a/b'] })
  const first = createRig({ kit, unready: down })
  const { route } = await first.call(ANY)
  assert.deepEqual([route.node, route.reason, route.tried[0]?.error], ['gpu', 'any', down.message])
  assert.equal(first.rig.asked, 0)
  assert.equal((await createRig({ unready: down }).call(ANY)).route.node, 'me')
})

test('a peer whose server does not answer is asked after all others, and named', async () => {
  const kit = createPeersKit()
  kit.set('down', { models: [], info: { modelsDown: ['a/b'] }, error: new AppError('provider_error', 'connection refused') })
  kit.set('up', { models: ['a/b'] })
  const { call } = createRig({ kit, lacks: true })
  assert.equal((await call(ANY)).route.node, 'up')
  assert.deepEqual(
    kit.calls.map(({ peer }) => peer),
    ['up'],
  )
  kit.set('up', { models: [], info: { modelsDown: ['a/b'] }, error: new AppError('provider_error', 'out of memory') })
  await assert.rejects(call(ANY), { message: 'down: connection refused; also tried: up: out of memory' })
})

test('any waits for what peers offer, and not for ever', async () => {
  const kit = createPeersKit()
  kit.set('gpu', { models: [], info: { hasRecord: false } })
  const { call } = createRig({ kit, lacks: true })
  const called = call(ANY)
  const timer = setTimeout(() => kit.set('gpu', { models: ['a/b'] }), 20)
  assert.equal((await called).route.node, 'gpu')
  clearTimeout(timer)
  kit.set('gpu', { models: [], info: { hasRecord: false } })
  await assert.rejects(call(ANY), { code: 'model_unavailable' })
})

test('a peer that was never met is left for others, a slip in its name is not', async () => {
  const kit = createPeersKit()
  const other = kit.set('other', { models: ['a/b'] })
  const resolve = kit.peers.resolve
  const peers = {
    ...kit.peers,
    resolve: (name: string): Promise<{ peerId: PeerId; name: string; self: boolean }> =>
      name === 'gpu' ? Promise.reject(new AppError('peer_unreachable', 'cannot reach gpu: connection refused')) : resolve(name),
  }
  const { call } = createRig({ kit: { ...kit, peers }, autoFallback: true })
  const { route } = await call(GPU)
  assert.deepEqual([route.peerId, route.reason, route.tried[0]?.node], [other, 'fallback', 'gpu'])
  await assert.rejects(call({ kind: 'peer', peer: 'gppu' }), { code: 'peer_unreachable' })
})
