import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMachine } from './support/qmt.ts'
import type { Finished } from './support/qmt.ts'

const ok = (finished: Finished): Finished => {
  assert.equal(finished.code, 0, finished.stderr)
  return finished
}

test('a newcomer gets from an invite to an answer of the other machine by what the commands print', async () => {
  await using host = await createMachine()
  await using guest = await createMachine()
  await host.writeConfig(`[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "host"
[mesh.share]
agents = ["*"]
workspaces = ["${host.workspace}"]
[agent]
provider = "builtin"
model = "demo"
`)
  // Its mesh is off, as where no [mesh] table stands; the rest keeps it off the network of this machine.
  await guest.writeConfig('[mesh]\nenabled = false\nlisten = "/ip4/127.0.0.1/tcp/0"\ndiscovery = "none"\nnode_name = "guest"\n')
  const node = host.start(['--headless'])
  await node.line(/listening: \S+/)
  const invited = ok(await host.run(['invite', '--yes', '--no-qr']))
  assert.match(invited.stderr, /over there: qmtcode join URL/)
  const joined = ok(await guest.run(['join', invited.stdout.trim(), '--yes']))
  assert.match(joined.stdout, /from now on prompts of this machine may leave it to host; to stop that: qmtcode peers use host --off/)

  const [, next = ''] = /^next: qmtcode (.+)$/m.exec(joined.stdout) ?? []
  assert.match(next, /^--mesh run --node host "hello"$/)
  const words = [...next.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  const answered = ok(await guest.run(words))
  assert.notEqual(answered.stdout.trim(), '')
})

test('where the inviter shares no workspace, join names a model of it, and that answers', async () => {
  await using host = await createMachine()
  await using guest = await createMachine()
  await host.writeConfig(`[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "host"
[agent]
provider = "builtin"
model = "demo"
`)
  await guest.writeConfig('[mesh]\nenabled = false\nlisten = "/ip4/127.0.0.1/tcp/0"\ndiscovery = "none"\nnode_name = "guest"\n')
  const node = host.start(['--headless'])
  await node.line(/listening: \S+/)
  const invited = ok(await host.run(['invite', '--yes', '--no-qr']))
  const joined = ok(await guest.run(['join', invited.stdout.trim(), '--yes']))
  assert.match(joined.stdout, /^next: qmtcode --mesh run --model host:builtin\/demo "hello"$/m)
  const answered = ok(await guest.run(['--mesh', 'run', '--model', 'host:builtin/demo', 'hello']))
  assert.match(answered.stdout, /builtin\/demo/)
  const alone = await guest.run(['nodes'])
  assert.match(alone.stderr, /hint: start with --mesh: qmtcode --mesh nodes;/)
})
