import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import type { PeerInfo } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { allPeers } from '../packages/cli/src/output/node-table.ts'
import { openNodeApi } from './support/node-api.ts'
import { noTerminal, openTerminal } from './support/pty.ts'
import { createMachine, ok } from './support/qmt.ts'
import type { Machine, Running } from './support/qmt.ts'

const CONFIG = (name: string, more = ''): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "${name}"
${more}`

const noProc = process.platform === 'linux' ? false : 'needs /proc'

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
const invite = async ({ machine }: Started, ...args: string[]): Promise<{ id: string; url: string }> =>
  JSON.parse(ok(await machine.run(['invite', '--yes', '--json', ...args])).stdout) as { id: string; url: string }

/** What `peers --json` lists, without the time of a process. */
const peersOf = async ({ machine }: Started): Promise<PeerInfo[]> => {
  await using api = await openNodeApi(machine)
  return allPeers(await api.peers.list(), await api.trust.list())
}
const sees = (from: Started, peerId: string, isSo: (row: PeerInfo) => boolean): Promise<unknown> =>
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
  assert.equal((JSON.parse(ok(await c.run(['identity', '--json'])).stdout) as { peerId: string }).peerId, guest.peerId)
  await sees(guest, host.peerId, (row) => row.state === 'connected' && row.roleThere === 'client' && row.trust === 'admitted')
  await sees(host, guest.peerId, (row) => row.state === 'connected' && row.role === 'client')
  assert.match(ok(await a.run(['peers'])).stdout, /lap/)

  const [listed] = JSON.parse(ok(await a.run(['invites', '--json'])).stdout) as { usesLeft: number; state: string }[]
  assert.deepEqual([listed?.usesLeft, listed?.state], [0, 'used'])
  assert.ok(!(await readFile(join(a.home, 'qmtcode.log'), 'utf8')).includes(made.url))
})

test('an invite is not in the list of processes, by whichever door it comes', { skip: noProc }, async () => {
  await using a = await createMachine()
  const host = await startNode(a, 'host')
  const { url } = await invite(host, '--uses', '4')
  const file = join(a.workspace, 'invite.txt')
  await writeFile(file, `for you:\n${url.slice(0, 90)}\n${url.slice(90)}\n`)
  const doors: { args: string[]; stdin?: string; isArgument?: boolean }[] = [
    { args: ['join', '-', '--yes'], stdin: url },
    { args: ['join', '--file', file, '--yes'] },
    { args: ['--headless', '--mesh', `--mesh-join=${file}`] },
    { args: ['--headless', '--mesh', `--mesh-join=${url}`], isArgument: true },
  ]
  for (const { args, stdin, isArgument = false } of doors) {
    await using guest = await createMachine()
    await guest.writeConfig(CONFIG('guest'))
    const started = guest.start(args, { stdin })
    const isSeen = async (): Promise<boolean> => (await readFile(`/proc/${started.process.pid}/cmdline`, 'utf8')).includes(url.slice(-80))
    if (isArgument) await eventually('its place is taken', async () => !(await isSeen()))
    else assert.equal(await isSeen(), false)
    await eventually('joined', async () =>
      (await readFile(join(guest.home, 'known_peers.json'), 'utf8').catch(() => '')).includes(host.peerId),
    )
    if (args[0] === 'join') ok(await started.ended)
  }
})

test('join asks at a terminal, after it has said who will be admin here', { skip: noTerminal }, async () => {
  await using a = await createMachine()
  await using c = await createMachine()
  const host = await startNode(a, 'host')
  const { url } = await invite(host)
  await using no = openTerminal(c, ['join'])
  await no.shows(/paste the invite:/)
  no.type(`${url}\r`)
  await no.shows(new RegExp(`admins here will be: its root\\s+${host.peerId}[^]*join it\\?`))
  no.type('n\r')
  assert.equal(await no.ended(), 130)
  assert.equal(
    await readFile(join(c.home, 'known_peers.json'), 'utf8').then(
      (text) => text.includes(host.peerId),
      () => false,
    ),
    false,
  )
  await using yes = openTerminal(c, ['join'])
  await yes.shows(/paste the invite:/)
  yes.type(`${url}\r`)
  await yes.shows(/join it\?/)
  yes.type('y\r')
  await yes.shows(/joined the mesh of host/)
  assert.equal(await yes.ended(), 0)
})

test('on a terminal an invite is shown as a QR code too, unless it is not wanted', { skip: noTerminal }, async () => {
  await using a = await createMachine()
  await startNode(a, 'host')
  await using shown = openTerminal(a, ['invite', '--yes'])
  await shown.shows(/▀[▀▄█ ]{30,}[^]*qmt:\/\/mesh\/join\//)
  assert.equal(await shown.ended(), 0)
  await using plain = openTerminal(a, ['invite', '--yes', '--no-qr'])
  await plain.shows(/^[^▀▄█]*qmt:\/\/mesh\/join\/[^▀▄█]*$/)
  assert.equal(await plain.ended(), 0)
})

test('a invites b as admin, b invites c, a admits c by its chain; a ban for the whole mesh cuts c at b', async () => {
  await using first = await createMachine()
  await using second = await createMachine()
  await using third = await createMachine()
  const a = await startNode(first, 'a')
  const b = await startNode(second, 'b')
  ok(await second.run(['join', (await invite(a, '--role', 'admin')).url, '--yes']))
  await sees(b, a.peerId, (row) => row.state === 'connected' && row.roleThere === 'admin')

  // c joins at its start, by the flag; and dials a, which never heard of it.
  const { url } = await invite(b)
  const c = await startNode(third, 'c', `[[mesh.peers]]\nname = "root"\naddr = "${a.address}"\n`, [`--mesh-join=${url}`])
  await sees(a, c.peerId, (row) => row.trust === 'admitted' && row.role === 'client')
  await sees(b, c.peerId, (row) => row.state === 'connected')
  assert.ok(!c.node.output().includes(url))

  const cutAt = ({ node }: Started) => node.line(new RegExp(`peer gone: .*${c.peerId}`)).then(() => performance.now())
  const cuts = [cutAt(a), cutAt(b)] as const
  ok(await first.run(['peers', 'ban', c.peerId, '--mesh-wide', '--yes']))
  const [here, there] = await Promise.all(cuts)
  assert.ok(there - here < 5_000, `cut at b ${there - here} ms after a`)
  await sees(b, c.peerId, (row) => row.trust === 'banned' && row.state !== 'connected')
  ok(await first.run(['peers', 'unban', c.peerId, '--yes']))
  await sees(b, c.peerId, (row) => row.trust === 'admitted')
})

test('three machines race for an invite of one use: one is in, two are told why not', async () => {
  await using first = await createMachine()
  await using second = await createMachine()
  await using third = await createMachine()
  await using fourth = await createMachine()
  const host = await startNode(first, 'host')
  const { id, url } = await invite(host)
  const racing = [second, third, fourth]
  for (const machine of racing) await machine.writeConfig(CONFIG('guest'))
  const ends = await Promise.all(racing.map((machine) => machine.run(['join', url, '--yes'])))
  assert.deepEqual(
    ends.map(({ code }) => code).toSorted((a, b) => a - b),
    [0, 1, 1],
  )
  for (const { code, stderr } of ends) if (code === 1) assert.match(stderr, /error\[conflict\]: .* used up\n.*qmtcode invite/s)
  assert.match(ok(await first.run(['invites'])).stdout, new RegExp(`${id} +used +0 of 1`))

  const late = await invite(host)
  ok(await first.run(['invites', 'revoke', late.id, '--yes']))
  const refused = await second.run(['join', late.url, '--yes'])
  assert.equal(refused.code, 4)
  assert.match(refused.stderr, /revoked/)
})
