import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { loadPeerId } from '@qmtcode/mesh/identity'
import { createAgent, isAppError } from '../index.ts'
import type { AskedEvent } from '../index.ts'

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
})

test('without a mesh, what needs one says so', async (t) => {
  await using agent = await createAgent({ home: await directory(t), workspace: await directory(t) })
  await assert.rejects(agent.listRemoteNodes(), /mesh is not enabled/)
})

test('a program creates a session on another node, attaches to it, and chats', async (t) => {
  const [laptop, server, workspace] = [await directory(t), await directory(t), await directory(t)]
  await writeFile(join(workspace, 'hello.txt'), 'good evening\n')
  const { peerId } = await systemIdentity(laptop)
  const mesh = (name: string) => `[mesh]\nlisten = "/ip4/127.0.0.1/tcp/0"\ndiscovery = "none"\nnode_name = "${name}"\n`
  await writeFile(
    join(server, 'config.toml'),
    `${mesh('gpu-server')}[mesh.share]
agents = ["coder"]
workspaces = ["${workspace}"]
[[mesh.peers]]
name = "laptop"
peer_id = "${peerId}"
role = "client"
[agent]
id = "coder"
provider = "builtin"
model = "demo"
`,
  )
  await using host = await createAgent({ home: server, workspace: server, waitMs: 0 })
  const [address = ''] = (await host.mesh()).listenAddresses()
  await writeFile(join(laptop, 'config.toml'), `${mesh('laptop')}[[mesh.peers]]\nname = "gpu-server"\naddr = "${address}"\n`)
  await using agent = await createAgent({ home: laptop, workspace: laptop, waitMs: 20_000 })
  const remote = await agent.createRemoteSession('gpu-server', 'coder')
  const session = await agent.attachRemoteSession(remote)
  assert.match(await session.chat('read hello.txt'), /good evening/)
  const again = await agent.attachSession('gpu-server', remote.sessionId)
  assert.match(await again.chat('list files'), /hello\.txt/)
  await assert.rejects(agent.attachSession('gpu-server', '../etc'), (error) => isAppError(error, 'bad_request'))
  assert.deepEqual(
    (await agent.listRemoteNodes()).map(({ name, agents }) => [name, agents]),
    [['gpu-server', ['coder']]],
  )
})

const systemIdentity = async (home: string): Promise<{ peerId: string }> => ({ peerId: await loadPeerId(join(home, 'mesh_identity.key')) })

test('chat never waits for a person who is not there: a permission goes to onAsk, else it is denied', async (t) => {
  const [home, workspace] = [await directory(t), await directory(t)]
  await using agent = await createAgent({ home, workspace })
  const write = 'create hello.txt with good morning'
  const session = await agent.createSession({ model: 'builtin/demo' })
  await session.chat(write)
  assert.deepEqual(await readdir(workspace), [])
  const asked: string[] = []
  const onAsk = (event: AskedEvent) => {
    asked.push(event.type)
    return 'allow' as const
  }
  await session.chat(write, { onAsk })
  assert.deepEqual(asked, ['permission.requested'])
  assert.deepEqual(await readdir(workspace), ['hello.txt'])
  for await (const event of session.prompt('create other.txt with two')) {
    if (event.type === 'permission.requested') await session.answer({ id: event.id, answer: 'deny' })
  }
  assert.deepEqual(await readdir(workspace), ['hello.txt'])
})

test('a program beside a running node works through it: its sessions are the node’s', async (t) => {
  const [home, workspace] = [await directory(t), await directory(t)]
  await using first = await createAgent({ home, workspace })
  await using second = await createAgent({ home, workspace })
  const session = await second.createSession({ model: 'builtin/demo' })
  assert.match(await session.chat('list files'), /\w/)
  assert.deepEqual(
    (await first.listSessions()).map(({ id }) => id),
    [session.id],
  )
})
