import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import { createMachine } from './support/qmt.ts'
import type { Machine, Running } from './support/qmt.ts'

interface Row {
  id: string
  node: string
  peerId: string
  state: string
  live: boolean
  heard: { at: number; via: string } | null
  followers: string[]
  followerCount: number
}

interface Line extends AsyncDisposable {
  a: Machine
  b: Machine
  c: Machine
}

const mesh = (name: string, more: string): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "${name}"
${more}`

const member = (name: string, where: string): string => `
[[mesh.peers]]
name = "${name}"
${where}
role = "member"
use = false
`

/** Members A – B – C, each a running node; A and C do not know each other. */
async function startLine(options: { c: string }): Promise<Line> {
  await using starting = new AsyncDisposableStack()
  const [a, b, c] = await Promise.all([createMachine(), createMachine(), createMachine()])
  for (const machine of [a, b, c]) starting.use(machine)
  const [idOfA, idOfC] = await Promise.all([a.peerId(), c.peerId()])
  await b.writeConfig(mesh('middle', `${member('left', `peer_id = "${idOfA}"`)}${member('right', `peer_id = "${idOfC}"`)}`))
  const [, address = ''] = await (await serve(b)).line(/listening: (\S+)/)
  await a.writeConfig(mesh('left', member('middle', `addr = "${address}"`)))
  await c.writeConfig(mesh('right', `${options.c}${member('middle', `addr = "${address}"`)}`))
  const [nodeOfA, nodeOfC] = await Promise.all([serve(a), serve(c)])
  await Promise.all([nodeOfA.line(/middle.*connected|connected.*middle/), nodeOfC.line(/middle.*connected|connected.*middle/)])
  const started = starting.move()
  return { a, b, c, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

const serve = async (machine: Machine): Promise<Running> => machine.start(['--headless', '--mesh'])

async function rowsAt(machine: Machine): Promise<Row[]> {
  const listed = await machine.run(['sessions', '--json'])
  assert.equal(listed.code, 0, listed.stderr)
  return JSON.parse(listed.stdout) as Row[]
}

test('a session of C is a row at A, which only B is linked to: running, then idle, as it happens; gone when it is deleted', async () => {
  await using llm = await startScriptedLlm({ 'hello there': [[{ text: 'one' }, { waitMs: 2_000 }, { text: ' two' }]] })
  const rack = `[mesh.share]\nsessions = "all"\n[providers.rack]\nkind = "openai-compatible"\nbase_url = "${llm.url}"\napi_key = "none"\n`
  await using line = await startLine({ c: rack })
  const { a, c } = line
  const watching = a.start(['sessions', '--watch', '--json'])
  const running = c.run(['run', '--model', 'rack/scripted', '--json', 'hello there'])
  const [, id = ''] = await watching.line(/"id":"(ses_\w+)".*"state":"running"/)
  const [running1] = (await rowsAt(a)).filter((row) => row.id === id)
  const [idOfC, ran] = [await c.peerId(), await running]
  assert.equal(ran.code, 0, ran.stderr)
  assert.deepEqual([running1?.node, running1?.peerId, running1?.live, running1?.heard?.via], ['right', idOfC, false, 'middle'])
  await watching.line(new RegExp(`"id":"${id}".*"state":"idle"`))
  const idle = await eventually('idle at A', async () =>
    (await rowsAt(a)).find((row) => row.id === id && row.state === 'idle' && row.followerCount === 0),
  )
  assert.deepEqual(idle.followers, []) // names are the host's to tell

  const nodes = JSON.parse((await a.run(['nodes', '--json'])).stdout) as {
    name: string
    sessions: number
    trust: string
    heard: { via: string }
  }[]
  const right = nodes.find((node) => node.name === 'right')
  assert.deepEqual([right?.sessions, right?.trust], [1, 'unknown'])
  // A row is no right: A has none at C, and no link.
  const attached = await a.run(['attach', `right/${id}`, '--no-follow'])
  assert.equal(attached.code, 1, attached.stderr)
  assert.match(attached.stderr, /error\[not_found\]: no peer is called "right"/)

  assert.equal((await c.run(['sessions', 'delete', id])).code, 0)
  await watching.line(new RegExp(`"type":"row.removed","id":"${id}"`))
  assert.deepEqual(await rowsAt(a), [])
})

test('by default no session is told of that nobody takes part in', async () => {
  await using line = await startLine({ c: '' })
  const { a, b, c } = line
  for (const prompt of ['hello', 'hello again']) {
    const ran = await c.run(['run', '--model', 'builtin/demo', '--json', prompt])
    assert.equal(ran.code, 0, ran.stderr)
  }
  const [{ id } = { id: '' }, ...kept] = await rowsAt(c)
  assert.equal(kept.length, 1)
  const shared = await c.run(['sessions', 'share', id, '--with', 'middle', '--as', 'observe'])
  assert.equal(shared.code, 0, shared.stderr)
  const row = await eventually('the shared one at A', async () => (await rowsAt(a)).find((other) => other.id === id))
  assert.equal(row.heard?.via, 'middle')
  for (const member of [a, b]) {
    const told = await rowsAt(member)
    assert.deepEqual(
      told.map((other) => other.id),
      [id],
      'the other session is told to nobody',
    )
  }
  assert.equal((await c.run(['sessions', 'unshare', id, '--with', 'middle'])).code, 0)
  await eventually('gone at A', async () => (await rowsAt(a)).length === 0)
})
