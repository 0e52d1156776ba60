import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createAgent, isAppError } from '../index.ts'

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'qmt-library-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

test('a program chats with a session and reads its events', async (t) => {
  const workspace = await directory(t)
  await writeFile(join(workspace, 'hello.txt'), 'good morning\n')
  await using agent = await createAgent({ home: await directory(t), workspace })
  const session = await agent.createSession({ model: 'builtin/demo' })
  assert.match(await session.chat('read hello.txt'), /good morning/)
  const types: string[] = []
  for await (const event of session.prompt('list files')) types.push(event.type)
  assert.equal(types[0], 'prompt.accepted')
  assert.ok(types.includes('tool.ended'))
  assert.equal(types.at(-1), 'turn.ended')
})

test('the mesh tells its peer id, its addresses and its routes', async (t) => {
  const home = await directory(t)
  await writeFile(
    join(home, 'config.toml'),
    `[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
[[delegates]]
id = "elsewhere"
provider = "builtin"
model = "demo"
peer = "any"
`,
  )
  await using agent = await createAgent({ home, workspace: home })
  const mesh = await agent.mesh()
  assert.match(mesh.listenAddresses()[0] ?? '', new RegExp(`/ip4/127.0.0.1/tcp/\\d+/p2p/${mesh.peerId()}$`))
  assert.deepEqual(await mesh.connectedPeers(), [])
  assert.deepEqual(await agent.listRemoteNodes(), [])
  assert.deepEqual(agent.routing.load().get('elsewhere')?.providerTarget, { kind: 'any' })
  await assert.rejects(createAgent({ home, workspace: home }), (error) => isAppError(error, 'bad_request'))
})

test('without a mesh, what needs one says so', async (t) => {
  await using agent = await createAgent({ home: await directory(t), workspace: await directory(t) })
  await assert.rejects(agent.listRemoteNodes(), /mesh is not enabled/)
})
