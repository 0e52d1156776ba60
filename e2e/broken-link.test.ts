import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { SessionEvent } from '@qmtcode/protocol'
import { startCutProxy, startScriptedLlm } from '@qmtcode/testing'
import type { CutProxy, ScriptedLlm } from '@qmtcode/testing'
import { eventsOf } from './support/output.ts'
import { laptopConfig, startTwoMachines } from './support/two-machines.ts'
import type { TwoMachines } from './support/two-machines.ts'

const CHUNKS = Array.from({ length: 200 }, (_, at) => `[${at}]`)
const GRACE_SECS = 2

let llm: ScriptedLlm
let mesh: TwoMachines
let proxy: CutProxy
before(async () => {
  llm = await startScriptedLlm({
    'count slowly': [[{ text: CHUNKS, gapMs: 5 }]],
    'fall silent': [[{ text: 'one word' }, { fault: 'hang' }]],
  })
  mesh = await startTwoMachines({ url: llm.url })
  const [, port = ''] = mesh.address.match(/\/tcp\/(\d+)/) ?? []
  proxy = await startCutProxy({ target: () => Number(port) })
  const line = mesh.address.replace(`/tcp/${port}/`, `/tcp/${proxy.port}/`)
  await mesh.laptop.writeConfig(laptopConfig(line).replace('[mesh]', `[mesh]\nstream_reconnect_grace_secs = ${GRACE_SECS}`))
})
after(async () => {
  await mesh[Symbol.asyncDispose]()
  await proxy.stop()
  await llm.stop()
})

/** Asks from the laptop, and breaks the line as soon as the model has been asked and `afterBytes` have passed. */
async function askAndCut(prompt: string, cut: () => Promise<void>): Promise<{ code: number; events: SessionEvent[]; stderr: string }> {
  const asked = llm.requests.length
  const running = mesh.laptop.start(['run', '--json', '--agent', 'gpu-coder', prompt])
  await llm.request(asked)
  await running.line(/"message\.delta"/)
  await cut()
  const finished = await running.ended
  return { code: finished.code, events: eventsOf(finished.stdout), stderr: finished.stderr }
}

for (const bytes of [1, 777, 5_000]) {
  test(`run goes on when its link breaks ${bytes} bytes later: the answer is whole, the model was asked once`, async () => {
    const asked = llm.requests.length
    const { code, events, stderr } = await askAndCut('count slowly', async () => {
      await proxy.cutAfter(bytes)
      proxy.restore()
    })
    assert.equal(code, 0, stderr)
    const [message] = events.filter((event) => event.type === 'message.completed')
    assert.equal(message?.text, CHUNKS.join(''))
    const deltas = events.flatMap((event) => (event.type === 'message.delta' ? [event.text] : []))
    assert.equal(deltas.join(''), CHUNKS.join(''))
    const links = events.filter((event) => event.type === 'link.lost' || event.type === 'link.restored')
    assert.deepEqual(
      links.map(({ type, peerId, node }) => ({ type, peerId, node })),
      ['link.lost', 'link.restored'].map((type) => ({ type, peerId: mesh.peerId, node: 'gpu-server' })),
    )
    assert.equal(llm.requests.length, asked + 1)
  })
}

test('a host that does not come back: the turn fails with link_lost after the grace, exit 3, and what came is kept', async () => {
  const { code, events } = await askAndCut('fall silent', async () => {
    await mesh.node.kill('SIGKILL')
  })
  assert.equal(code, 3)
  const [end] = events.filter((event) => event.type === 'turn.ended')
  assert.equal(end?.error?.code, 'link_lost')
  assert.match(end?.error?.message ?? '', /gpu-server.*within 2 s/)
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'link.lost' ? [event.graceMs] : [])),
    [GRACE_SECS * 1_000],
  )
  const [message] = events.filter((event) => event.type === 'message.completed')
  assert.deepEqual([message?.text, message?.partial], ['one word', true])
})
