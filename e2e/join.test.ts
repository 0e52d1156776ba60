import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { createMachine } from './support/qmt.ts'
import type { Finished, Machine, Running } from './support/qmt.ts'

const CONFIG = (name: string, more = ''): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "${name}"
${more}`

interface Started {
  machine: Machine
  node: Running
  address: string
  peerId: string
}

async function startNode(machine: Machine, name: string, more = '', args: string[] = []): Promise<Started> {
  await machine.writeConfig(CONFIG(name, more))
  const node = machine.start(['--headless', '--mesh', ...args])
  const [, address = '', peerId = ''] = await node.line(/listening: (\S+\/p2p\/(\S+))/)
  return { machine, node, address, peerId }
}
const ok = (finished: Finished): Finished => {
  assert.equal(finished.code, 0, finished.stderr)
  return finished
}
const invite = async ({ machine }: Started, ...args: string[]): Promise<{ id: string; url: string }> =>
  JSON.parse(ok(await machine.run(['invite', '--yes', '--json', ...args])).stdout) as { id: string; url: string }

interface Row {
  peerId: string
  state: string
  trust: string
  role?: string
  roleThere?: string
}
const peersOf = async ({ machine }: Started): Promise<Row[]> => JSON.parse(ok(await machine.run(['peers', '--json'])).stdout) as Row[]
const sees = (from: Started, peerId: string, isSo: (row: Row) => boolean): Promise<unknown> =>
  eventually(`${from.machine.home} sees ${peerId}`, async () => (await peersOf(from)).some((row) => row.peerId === peerId && isSo(row)))

test('two commands: an invite here, a join there, and the other machine is an admitted client', async () => {
  await using a = await createMachine()
  await using c = await createMachine()
  const host = await startNode(a, 'host')
  const made = await invite(host, '--name', 'lap')
  assert.match(made.url, /^qmt:\/\/mesh\/join\/[\w-]+\.[\w-]+$/)
  assert.ok(made.url.length < 600, `${made.url.length} characters`)
  assert.equal((await stat(join(a.home, 'known_peers.json'))).mode & 0o777, 0o600)

  const refused = await c.run(['join', made.url])
  assert.equal(refused.code, 4)
  assert.match(refused.stderr, /--yes/)
  const guest = await startNode(c, 'guest')
  const joined = ok(await c.run(['join', made.url, '--yes']))
  assert.match(joined.stdout, /joined the mesh of host .* as client/)
  await sees(guest, host.peerId, (row) => row.state === 'connected' && row.roleThere === 'client' && row.trust === 'admitted')
  await sees(host, guest.peerId, (row) => row.state === 'connected' && row.role === 'client')
  assert.match(ok(await a.run(['peers'])).stdout, /lap/)

  const [listed] = JSON.parse(ok(await a.run(['invites', '--json'])).stdout) as { usesLeft: number; state: string }[]
  assert.deepEqual([listed?.usesLeft, listed?.state], [0, 'used'])
  assert.ok(!(await readFile(join(a.home, 'qmtcode.log'), 'utf8')).includes(made.url))
})
