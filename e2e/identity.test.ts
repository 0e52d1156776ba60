import assert from 'node:assert/strict'
import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { HANDSHAKE_PROTOCOL, encodeHello } from '../packages/mesh/src/handshake/hello.ts'
import { HELLO, dial, fate, idOf, stranger } from '../packages/mesh/src/testing/stranger.ts'
import { openNodeApi } from './support/node-api.ts'
import { createMachine } from './support/qmt.ts'
import type { Finished, Running } from './support/qmt.ts'

const ok = ({ code, stdout, stderr }: Finished): string => {
  assert.equal(code, 0, stderr)
  return stdout
}
const listens = async (node: Running): Promise<string> => (await node.line(/listening: (\S+\/p2p\/\S+)/))[1] ?? ''

const configOf = (name: string, host?: string): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "${name}"
${host === undefined ? '' : `[[mesh.peers]]\nname = "host"\naddr = "${host}"\n`}`

test('a new key keeps what the old one had; the old key, and its word in the mouth of another, are refused; a ban cuts, and unban gives all back', async () => {
  await using host = await createMachine()
  await using guest = await createMachine()
  await using thief = await createMachine()
  await host.writeConfig(configOf('host'))
  const hosting = host.start(['--headless', '--mesh'])
  const address = await listens(hosting)
  await using api = await openNodeApi(host)
  const stands = async (peerId: string) => {
    const connected = (await api.peers.list()).some((peer) => peer.peerId === peerId && peer.state === 'connected')
    const known = (await api.trust.list()).find((peer) => peer.peerId === peerId)
    return `${known?.trust} ${known?.role ?? 'none'}${connected ? ' connected' : ''}`
  }
  const becomes = (peerId: string, standing: string) =>
    eventually(`${peerId} is ${standing}`, async () => (await stands(peerId)) === standing)

  const { url } = await api.trust.invite({ role: 'member' })
  await guest.writeConfig(configOf('guest'))
  const first = guest.start(['--headless', '--mesh', `--mesh-join=${url}`])
  const [, before = ''] = /p2p\/(\S+)/.exec(await listens(first)) ?? []
  await becomes(before, 'admitted member connected')

  const tooEarly = await guest.run(['identity', 'rotate', '--yes'])
  assert.notEqual(tooEarly.code, 0)
  assert.match(tooEarly.stderr, /stop it, then rotate/)
  await first.kill()
  assert.equal((await guest.run(['identity', 'rotate'])).code, 4) // no person, no --yes
  const { after, backup } = JSON.parse(ok(await guest.run(['identity', 'rotate', '--yes', '--json']))) as { after: string; backup: string }
  const { rotations } = JSON.parse(await readFile(join(guest.home, 'known_peers.json'), 'utf8')) as { rotations: string[] }
  const second = guest.start(['--headless', '--mesh'])
  await becomes(after, 'admitted member connected')
  assert.equal(await stands(before), 'banned none')

  // Who has the old key gets no connection; its word for the new one is of no use to a third.
  await copyFile(backup, join(thief.home, 'mesh_identity.key'))
  await thief.writeConfig(configOf('guest', address))
  thief.start(['--headless', '--mesh'])
  await eventually('the old key is refused', async () => {
    const lines = (await readFile(join(host.home, 'audit.jsonl'), 'utf8')).split('\n')
    return lines.some((line) => line.includes(before) && line.includes('"banned"'))
  })
  await using other = await stranger()
  const connection = await dial(other, { address })
  assert.match(await fate(connection, HANDSHAKE_PROTOCOL, encodeHello({ ...HELLO, rotated: rotations })), /^answered/)
  await eventually('it knocks', async () => (await stands(idOf(other))).startsWith('unknown none'))
  assert.equal(await stands(after), 'admitted member connected')

  // The ban cuts at once; that the old key once signed the new one does not lift it.
  const cutHere = hosting.line(new RegExp(`peer gone: .*${after}`)).then(() => performance.now())
  const cutThere = second.line(/peer gone: /).then(() => performance.now())
  ok(await host.run(['peers', 'ban', after, '--yes']))
  assert.ok((await cutThere) - (await cutHere) < 5_000)
  assert.equal(await stands(after), 'banned none')
  ok(await host.run(['peers', 'unban', after, '--yes']))
  await becomes(after, 'admitted member connected')
  assert.equal(await stands(before), 'banned none')
})
