import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { PeerInfo } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import type { ScriptedLlm } from '@qmtcode/testing'
import { openNodeApi } from './support/node-api.ts'
import { eventsOf, eventsOfType } from './support/output.ts'
import { createMachine } from './support/qmt.ts'
import type { Finished } from './support/qmt.ts'
import { startTwoMachines } from './support/two-machines.ts'
import type { TwoMachines } from './support/two-machines.ts'
import { eventually } from '@qmtcode/testing'

const delegate = (id: string, model: string, peer: string): string => {
  const [provider, name] = model.split('/')
  return `[[delegates]]\nid = "${id}"\nprovider = "${provider}"\nmodel = "${name}"\npeer = "${peer}"\n`
}
const meshTable = '[mesh]\nlisten = "/ip4/127.0.0.1/tcp/0"\ndiscovery = "none"\n'
const peerTable = (name: string, address: string): string => `[[mesh.peers]]\nname = "${name}"\naddr = "${address}"\n`
const AGENTS = [
  delegate('misspelt', 'rack/scripted', 'gpu-sever'),
  delegate('unshared', 'builtin/demo', 'gpu-server'),
  delegate('unoffered', 'vllm/llama', 'gpu-server'),
  delegate('missing', 'rack/missing', 'gpu-server'),
].join('')

let llm: ScriptedLlm
let mesh: TwoMachines
before(async () => {
  llm = await startScriptedLlm(({ model, messages }) => {
    if (model === 'missing') return [{ fault: { status: 404, message: 'no such model' } }]
    return JSON.stringify(messages?.at(-1)?.content).includes('endless') ? [{ text: 'beginning' }, { fault: 'hang' }] : 'hello'
  })
  mesh = await startTwoMachines({ url: llm.url, models: ['rack/*'], laptop: AGENTS })
})
after(async () => {
  await mesh[Symbol.asyncDispose]()
  await llm.stop()
})

const run = (...args: string[]): Promise<Finished> => mesh.laptop.run(['run', '--wait', '20', ...args])

/** Refused before any model was asked: the code's exit, and every part of the text. */
async function refused(args: string[], expected: { exit: number; says: RegExp[] }): Promise<void> {
  const calls = llm.requests.length
  const { code, stdout, stderr } = await run(...args, 'hello')
  assert.equal(code, expected.exit, stderr)
  assert.equal(stdout, '')
  for (const said of expected.says) assert.match(stderr, said)
  assert.equal(llm.requests.length, calls)
}

test('a peer that nobody knows: exit 3, and the names that are known', async () => {
  await refused(['--agent', 'misspelt'], { exit: 3, says: [/no peer is called "gpu-sever"/, /hint: known: .*gpu-server/] })
  await refused(['--model', 'nowhere:rack/scripted'], { exit: 3, says: [/no peer is called "nowhere"/, /hint: known: .*gpu-server/] })
})

test('a model that the peer does not share, or does not have: exit 3, and what it shares', async () => {
  for (const agent of ['unshared', 'unoffered']) {
    await refused(['--agent', agent], {
      exit: 3,
      says: [/error\[model_unavailable\]: gpu-server: .*not shared here; shared: rack\/scripted/],
    })
  }
  const { code, stderr } = await run('--agent', 'missing', 'hello')
  assert.equal(code, 3, stderr)
  assert.match(stderr, /error\[model_unavailable\]: gpu-server: .*rack\/missing/)
})

test('a peer that is away: exit 3, with the reason', async () => {
  await using machine = await createMachine()
  await machine.writeConfig(
    `${meshTable}${peerTable('gpu-server', '/ip4/127.0.0.1/tcp/1')}${delegate('coder', 'rack/scripted', 'gpu-server')}`,
  )
  const { code, stderr } = await machine.run(['run', '--wait', '1', '--agent', 'coder', 'hello'])
  assert.equal(code, 3, stderr)
  assert.match(stderr, /error\[peer_unreachable\]: .*gpu-server at \/ip4\/127\.0\.0\.1\/tcp\/1: connection refused/)
  assert.match(stderr, /hint: is qmtcode --mesh running there\? try: qmtcode doctor gpu-server$/m)
})

test('a model that this node cannot call itself: exit 3, and what would be needed', async () => {
  await refused(['--model', 'rack/scripted'], {
    exit: 3,
    says: [/error\[model_unavailable\]: no provider "rack" here/, /hint: .*\[providers\.rack\]/],
  })
})

test('an agent that is not there: exit 1, and where they are listed', async () => {
  await refused(['--agent', 'nobody'], { exit: 1, says: [/error\[not_found\].*nobody/, /hint: .*qmtcode agents/] })
})

test('a route to a peer without a mesh: exit 3, and what to enable', async () => {
  await using machine = await createMachine()
  await machine.writeConfig(delegate('coder', 'rack/scripted', 'gpu-server'))
  const { code, stderr } = await machine.run(['run', '--agent', 'coder', 'hello'])
  assert.equal(code, 3, stderr)
  assert.match(stderr, /hint: .*--mesh/)
})

test('a name that a peer and this node bear: exit 2, naming both', async () => {
  await using machine = await createMachine()
  const self = await machine.peerId()
  const peer = peerTable('gpu-server', mesh.address)
  await machine.writeConfig(`${meshTable}node_name = "gpu-server"\n${peer}${delegate('coder', 'rack/scripted', 'gpu-server')}`)
  const { code, stdout, stderr } = await machine.run(['run', '--agent', 'coder', 'hello'])
  assert.equal(code, 2, stderr)
  assert.equal(stdout, '')
  for (const said of [/error\[ambiguous\]/, new RegExp(self), new RegExp(mesh.peerId), /hint: .*whole peer id/]) assert.match(stderr, said)
})

test('a peer that our prompts may not go to: exit 4, and how to change it', async () => {
  assert.equal((await mesh.laptop.run(['peers', 'use', 'gpu-server', '--off', '--yes'])).code, 0)
  await refused(['--agent', 'gpu-coder'], { exit: 4, says: [/error\[forbidden\]/, /gpu-server/, /hint: .*qmtcode peers use gpu-server/] })
  assert.equal((await mesh.laptop.run(['peers', 'use', 'gpu-server', '--yes'])).code, 0)
  assert.equal((await run('--agent', 'gpu-coder', 'hello')).stdout, 'hello\n')
})

test('a peer that is banned here: exit 4, until it is admitted again', async () => {
  assert.equal((await mesh.laptop.run(['peers', 'ban', 'gpu-server', '--yes'])).code, 0)
  await refused(['--agent', 'gpu-coder'], {
    exit: 4,
    says: [/error\[forbidden\]: gpu-server is banned here/, new RegExp(`hint: qmtcode peers admit ${mesh.peerId}`)],
  })
  assert.equal((await mesh.laptop.run(['peers', 'forget', 'gpu-server', '--yes'])).code, 0)
  assert.equal((await run('--agent', 'gpu-coder', 'hello')).stdout, 'hello\n')
})

test('a ban on the server cuts the live stream within a second; the turn ends once, with the reason', async () => {
  const calls = llm.requests.length
  const running = mesh.laptop.start(['run', '--json', '--agent', 'gpu-coder', 'endless'])
  await running.line(/"text":"beginning"/)
  const request = await llm.request(calls)
  await using api = await openNodeApi(mesh.server)
  const laptop = (await api.peers.list()).find(({ name }: PeerInfo) => name === 'laptop') ?? assert.fail('the laptop is not there')
  const bannedAt = performance.now()
  await api.trust.ban(laptop.peerId)
  await request.aborted
  assert.ok(performance.now() - bannedAt < 1_000, `the call ran on for ${performance.now() - bannedAt} ms`)
  const { code, stdout, stderr } = await running.ended
  assert.equal(code, 4, stderr)
  const ended = eventsOfType(eventsOf(stdout), 'turn.ended')
  assert.deepEqual(
    ended.map(({ stopReason, error }) => [stopReason, error?.code]),
    [['failed', 'not_admitted']],
  )
  await eventually('the server runs nothing more', async () => (await api.load()).inFlight === 0)
})

test('a peer that has banned us: exit 4, and where its person sees that', async () => {
  await refused(['--agent', 'gpu-coder'], {
    exit: 4,
    says: [/error\[not_admitted\]: gpu-server .*this node is banned there/, /hint: its person .*qmtcode peers/],
  })
})
