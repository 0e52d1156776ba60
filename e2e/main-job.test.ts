import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createMachine, startHost } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

const guestConfig = (address: string): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
[[mesh.peers]]
name = "gpu-server"
addr = "${address}"

[[delegates]]
id = "gpu-coder"
provider = "builtin"
model = "demo"
description = "Coder that thinks on the GPU machine"
peer = "gpu-server"
tools = ["list_files", "read_file", "search_text", "shell", "write_file"]
`

async function twoMachines(): Promise<
  AsyncDisposable & { laptop: Machine; server: Machine; address: string; host: Awaited<ReturnType<typeof startHost>> }
> {
  const laptop = await createMachine()
  const server = await createMachine()
  const host = await startHost(server, { guest: await laptop.peerId() })
  await laptop.writeConfig(guestConfig(host.address))
  return {
    laptop,
    server,
    host,
    address: host.address,
    [Symbol.asyncDispose]: async () => {
      await laptop[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

test('a prompt typed on the laptop runs tools on the laptop and thinks on the server', async () => {
  await using mesh = await twoMachines()
  await writeFile(join(mesh.laptop.workspace, 'notes.txt'), 'the launch code is tangerine\n')
  const ran = await mesh.laptop.run([
    'run',
    '--agent',
    'gpu-coder',
    '--allow',
    'edit,shell',
    'read notes.txt and run echo made-here > made.txt',
  ])
  assert.equal(ran.code, 0, ran.stderr)
  assert.match(ran.stdout, /tangerine/)
  assert.match(ran.stderr, /gpu-server/)
  assert.equal(await readFile(join(mesh.laptop.workspace, 'made.txt'), 'utf8'), 'made-here\n')
})

test('run --json tells the route, the tools and the end, one event a line', async () => {
  await using mesh = await twoMachines()
  const ran = await mesh.laptop.run(['run', '--json', '--agent', 'gpu-coder', 'list files'])
  assert.equal(ran.code, 0, ran.stderr)
  const events = ran.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const route = events.find((event) => event['type'] === 'route.chosen')
  assert.equal(route?.['node'], 'gpu-server')
  assert.equal(route?.['model'], 'builtin/demo')
  assert.equal(route?.['peerId'], mesh.host.peerId)
  assert.deepEqual(
    events.filter((event) => event['type'] === 'turn.ended').map((event) => event['stopReason']),
    ['completed'],
  )
  assert.ok(events.some((event) => event['type'] === 'message.delta'))
})

test('nodes and models show the server and what it offers', async () => {
  await using mesh = await twoMachines()
  const nodes = await mesh.laptop.run(['nodes', '--json'])
  assert.equal(nodes.code, 0, nodes.stderr)
  const server = (JSON.parse(nodes.stdout) as Record<string, unknown>[]).find((node) => node['name'] === 'gpu-server')
  assert.equal(server?.['state'], 'connected')
  assert.equal(server?.['roleThere'], 'client')
  const models = await mesh.laptop.run(['models', '--json'])
  assert.ok(
    (JSON.parse(models.stdout) as { id: string }[]).some((model) => model.id === 'gpu-server:builtin/demo'),
    models.stdout,
  )
})

test('a server that did not admit us says what to run over there, exit 4', async () => {
  await using laptop = await createMachine()
  await using server = await createMachine()
  await using stranger = await createMachine()
  const host = await startHost(server, { guest: await stranger.peerId() })
  await laptop.writeConfig(guestConfig(host.address))
  const ran = await laptop.run(['run', '--agent', 'gpu-coder', 'list files'])
  assert.equal(ran.code, 4, ran.stderr)
  assert.match(ran.stderr, new RegExp(`qmtcode peers admit ${await laptop.peerId()}`))
  assert.equal(ran.stdout, '')
})

test('a server that is away is an error with the reason, exit 3', async () => {
  await using mesh = await twoMachines()
  await mesh.host.node.kill('SIGKILL')
  const ran = await mesh.laptop.run(['run', '--wait', '1', '--agent', 'gpu-coder', 'list files'])
  assert.equal(ran.code, 3, ran.stderr)
  assert.match(ran.stderr, /peer_unreachable/)
  assert.match(ran.stderr, /gpu-server/)
})
