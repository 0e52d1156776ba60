import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SelfDiagnosis } from '@qmtcode/protocol'
import { createMachine, ok } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

const hostConfig = (shared = ''): string => `[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "host"
${shared}
[agent]
provider = "builtin"
model = "demo"
`

test('a newcomer gets from an invite to an answer of the other machine by what the commands print', async () => {
  await using host = await createMachine()
  await using guest = await createMachine()
  await host.writeConfig(hostConfig(`[mesh.share]\nagents = ["*"]\nworkspaces = ["${host.workspace}"]`))
  // The guest has no configuration at all.
  const node = host.start(['--headless'])
  await node.line(/listening: \S+/)
  const invited = ok(await host.run(['invite', '--yes', '--no-qr']))
  assert.match(invited.stderr, /over there: qmtcode join, then paste it/)
  const joined = ok(await guest.run(['join', invited.stdout.trim(), '--yes']))
  assert.match(joined.stdout, /from now on prompts of this machine may leave it to host; to stop that: qmtcode peers use host --off/)

  const [, next = ''] = /^next: qmtcode (.+)$/m.exec(joined.stdout) ?? []
  assert.match(next, /^run --node host "hello"$/)
  assert.match(joined.stdout, /^no port is open here/m)
  const words = [...next.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  const answered = ok(await guest.run(words))
  assert.notEqual(answered.stdout.trim(), '')
  await looksFromHere(guest, /ses_\w+/.exec(answered.stderr)?.[0])
})

interface DoctorDocument {
  self: { facts: SelfDiagnosis }
  peers: { name: string; verdict: string }[]
}

/** In a home that joined, every command has the mesh, and opens no port for it; `qmtcode --headless` alone is no node still. */
async function looksFromHere(guest: Machine, session: string | undefined): Promise<void> {
  const nodes = JSON.parse(ok(await guest.run(['nodes', '--json'])).stdout) as { name: string; state: string; self: boolean }[]
  assert.deepEqual(nodes.map(({ name, state, self }) => (self ? 'self' : `${name} ${state}`)).toSorted(), ['host connected', 'self'])
  assert.match(ok(await guest.run(['attach', `host/${session}`, '--no-follow'])).stdout, /hello/)
  const { self, peers } = JSON.parse((await guest.run(['doctor', '--json'])).stdout) as DoctorDocument
  assert.deepEqual([self.facts.listenAddresses, self.facts.discovery], [[], []])
  assert.deepEqual(
    peers.map(({ name, verdict }) => [name, verdict]),
    [['host', 'ok']],
  )
  const headless = await guest.run(['--headless'])
  assert.deepEqual([headless.code, /the mesh is not enabled/.test(headless.stderr)], [2, true], headless.stderr)
}

test('where the inviter shares no workspace, join names a model of it, and that answers', async () => {
  await using host = await createMachine()
  await using guest = await createMachine()
  await host.writeConfig(hostConfig())
  await guest.writeConfig('[mesh]\nenabled = false\nlisten = "/ip4/127.0.0.1/tcp/0"\ndiscovery = "none"\nnode_name = "guest"\n')
  const node = host.start(['--headless'])
  await node.line(/listening: \S+/)
  const invited = ok(await host.run(['invite', '--yes', '--no-qr']))
  const joined = ok(await guest.run(['join', invited.stdout.trim(), '--yes']))
  assert.match(joined.stdout, /^next: qmtcode run --model host:builtin\/demo "hello"$/m)
  const answered = ok(await guest.run(['--mesh', 'run', '--model', 'host:builtin/demo', 'hello']))
  assert.match(answered.stdout, /builtin\/demo/)
  const alone = await guest.run(['nodes'])
  assert.match(alone.stderr, /hint: join one: .* or start with --mesh: qmtcode --mesh nodes;/) // the file says that it is off
})
