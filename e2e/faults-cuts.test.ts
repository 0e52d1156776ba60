import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { createRpcServer } from '@qmtcode/mesh/rpc'
import { isDurable, newPromptId, resumingSessions, sessionsContract, sessionsHandlers, sessionsOverRpc } from '@qmtcode/protocol'
import type { DurableEvent, ModelPart, PeerId, SessionEvent } from '@qmtcode/protocol'
import { createTurnScript } from '@qmtcode/testing'
import type { CutProxy } from '@qmtcode/testing'
import { openCutLine } from './support/cut-line.ts'
import { openCutRig } from './support/cut-rig.ts'
import { frameEnds } from './support/frame-ends.ts'
import { startSessionsHost } from './support/sessions-host.ts'

/** `QMT_CUTS=all` cuts at every boundary, and a byte to either side of it. */
const SAMPLE = process.env['QMT_CUTS'] === 'all' ? Infinity : 8
const PEER = '12D3KooWHostHostHostHostHostHostHostHostHostHostHost1' as PeerId
const PARTS = 12
const WORDS = Array.from({ length: PARTS }, (_, at) => `[${at}]`)

/** Runs once without a cut to learn where frames end, then again for each place of the sample. */
async function atBoundaries(run: (arm: (proxy: CutProxy) => Promise<void>) => Promise<readonly number[]>): Promise<number> {
  const ends = await run(async () => {})
  assert.ok(ends.length >= 10, `${ends.length} frames`)
  const step = Math.max(1, Math.floor(ends.length / SAMPLE))
  const places = ends.filter((_, at) => at % step === 0).flatMap((end) => (SAMPLE === Infinity ? [end - 1, end, end + 1] : [end]))
  for (const place of places) {
    await run(async (proxy) => {
      await proxy.cutAfter(place)
      proxy.restore()
    })
  }
  return places.length
}

const FINISH = {
  type: 'finish',
  finishReason: { unified: 'stop', raw: 'stop' },
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
} as unknown as ModelPart

/** Each part in a frame of its own: what is said within 2 ms travels together. */
async function* spoken(): AsyncGenerator<ModelPart> {
  for (const delta of WORDS) {
    yield { type: 'text-delta', id: 't', delta }
    await new Promise((resolve) => setTimeout(resolve, 4))
  }
  yield FINISH
}

test('a model stream that is cut where a frame ends goes on: each part once, one call of the model', async (t) => {
  const places = await atBoundaries(async (arm) => {
    await using rig = await openCutRig({ model: spoken })
    const ends = frameEnds(rig.proxy)
    const cutting = arm(rig.proxy)
    const texts: string[] = []
    for await (const part of rig.ask()) if (part.type === 'text-delta') texts.push(part.delta)
    assert.equal(texts.join(''), WORDS.join(''))
    assert.equal(rig.calls.length, 1)
    rig.proxy.disarm()
    await cutting
    return ends()
  })
  t.diagnostic(`${places} places`)
})

test('a session that is cut where a frame ends is followed with no gap and no repeat; its prompts run once', async (t) => {
  const places = await atBoundaries(async (arm) => {
    await using host = await startSessionsHost(createTurnScript().runTurn)
    const here = host.as('alice')
    const server = createRpcServer()
    const served = { contract: sessionsContract, handlers: sessionsHandlers(host.as('bob')) }
    await using line = await openCutLine((stream) => server.accept(stream, served, { peerId: PEER }))
    const there = resumingSessions(sessionsOverRpc(line.rpc.client(sessionsContract)), {
      peerId: PEER,
      nodeName: () => Promise.resolve('host'),
      graceMs: 20_000,
    })
    const { id } = await here.create({ workspace: host.workspace })
    const promptIds = [newPromptId(), newPromptId(), newPromptId()]
    const ends = frameEnds(line.proxy)
    const cutting = arm(line.proxy)
    const prompting = (async () => {
      for (const promptId of promptIds) {
        const content = [{ type: 'text' as const, text: `say ${WORDS.join(' ')}` }]
        const first = await there.prompt(id, { promptId, content })
        assert.deepEqual(await there.prompt(id, { promptId, content }), first)
      }
    })()
    const seen: SessionEvent[] = []
    for await (const event of there.follow(id)) {
      seen.push(event)
      if (event.type === 'turn.ended' && event.promptId === promptIds.at(-1)) break
    }
    await prompting
    line.proxy.disarm()
    await cutting
    const { items } = await here.history(id, { limit: 1_000 })
    assert.deepEqual(seen.filter(isDurable), items)
    const idsOf = (type: 'prompt.accepted' | 'turn.started') =>
      items.flatMap((event: DurableEvent) => (event.type === type ? [event.promptId] : []))
    assert.deepEqual([idsOf('prompt.accepted'), idsOf('turn.started')], [promptIds, promptIds])
    server.stop()
    return ends()
  })
  t.diagnostic(`${places} places`)
})
