// An admin of a mesh, also one that is an admin no more, signs what its key can, and tells it with a home that it wrote itself.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PeerId, PeerInfo } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { allPeers } from '../../packages/cli/src/output/node-table.ts'
import { loadIdentity } from '../../packages/mesh/src/identity/identity-file.ts'
import { newSigner } from '../../packages/mesh/src/testing/signer.ts'
import { issueGrant } from '../../packages/mesh/src/trust/grant.ts'
import type { Chain } from '../../packages/mesh/src/trust/grant.ts'
import type { KnownPeersContent } from '../../packages/mesh/src/trust/known-peers-file.ts'
import { signBan } from '../../packages/mesh/src/trust/mesh-ban.ts'
import type { MeshBan } from '../../packages/mesh/src/trust/mesh-ban.ts'
import { openNodeApi } from '../support/node-api.ts'
import { createMachine, ok } from '../support/qmt.ts'
import type { Machine, Running } from '../support/qmt.ts'

const DAY_MS = 86_400_000

interface Started {
  machine: Machine
  node: Running
  address: string
  peerId: PeerId
}

async function startNode(machine: Machine, name: string, friend?: Started): Promise<Started> {
  await machine.writeConfig(`
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "${name}"
${friend ? `[[mesh.peers]]\nname = "friend"\naddr = "${friend.address}"` : ''}`)
  const node = machine.start(['--headless', '--mesh'])
  const [, address = '', peerId = ''] = await node.line(/listening: (\S+\/p2p\/(\S+))/)
  return { machine, node, address, peerId: peerId as PeerId }
}
async function invite({ machine }: Started, role: string): Promise<string> {
  const { url } = JSON.parse(ok(await machine.run(['invite', '--yes', '--json', '--role', role])).stdout) as { url: string }
  return url
}
const joins = async ({ machine }: Started, inviter: Started, role: string): Promise<unknown> =>
  ok(await machine.run(['join', await invite(inviter, role), '--yes']))

async function rowAt({ machine }: Started, { peerId }: Started): Promise<PeerInfo | undefined> {
  await using api = await openNodeApi(machine)
  return allPeers(await api.peers.list(), await api.trust.list()).find((row) => row.peerId === peerId)
}
const sees = (at: Started, of: Started, isSo: (row: PeerInfo | undefined) => boolean): Promise<unknown> =>
  eventually(`${at.peerId} sees ${of.peerId} so`, async () => isSo(await rowAt(at, of)))
const isIn = (row: PeerInfo | undefined): boolean => row?.state === 'connected' && row.trust === 'admitted'

const fileOf = ({ machine }: Started): string => join(machine.home, 'known_peers.json')
const known = async (node: Started): Promise<KnownPeersContent> => JSON.parse(await readFile(fileOf(node), 'utf8')) as KnownPeersContent
const keyOf = ({ machine }: Started): ReturnType<typeof loadIdentity> => loadIdentity(join(machine.home, 'mesh_identity.key'))

/** The attacker's node starts again, and tells `bans` as if it had taken them. Resolves when `at` has heard all of them. */
async function tells(attacker: Started, at: Started, bans: MeshBan[]): Promise<Started> {
  const rootKey = await keyOf(at)
  const { self } = await newSigner()
  const last = await signBan({ root: at.peerId, peer: self, by: at.peerId, at: Date.now() }, [], rootKey)
  await attacker.node.kill()
  const content = await known(attacker)
  await writeFile(fileOf(attacker), JSON.stringify({ ...content, bans: [...content.bans, ...bans, last] }))
  const again = await startNode(attacker.machine, 'mallory', at)
  await eventually('the last of its bans is heard', async () => (await known(at)).bans.some(({ token }) => token === last.token))
  return again
}

interface MadeUp {
  root: Started
  parent: Chain
  /** Of the grant, and of the ban unless it is `dated`. */
  at: number
  dated?: number
}

/** A ban of `victim` by `attacker`, with a grant that nobody asked for. */
async function madeUp(attacker: Started, victim: Started, { root, parent, at, dated = at }: MadeUp): Promise<MeshBan> {
  const key = await keyOf(attacker)
  const chain = await issueGrant({ to: victim.peerId, role: 'client' }, { key, self: attacker.peerId, parent }, at)
  return await signBan({ root: root.peerId, peer: victim.peerId, by: attacker.peerId, at: dated }, chain, key)
}

test('an admin bans a member that it did not let in: nobody is cut', async () => {
  await using machines = new AsyncDisposableStack()
  const [first, second, third] = [
    machines.use(await createMachine()),
    machines.use(await createMachine()),
    machines.use(await createMachine()),
  ]
  const root = await startNode(first, 'root')
  const alice = await startNode(second, 'alice')
  const mallory = await startNode(third, 'mallory')
  await joins(alice, root, 'member')
  await joins(mallory, root, 'admin')
  await sees(root, alice, isIn)
  const parent = (await known(mallory)).own[root.peerId] ?? []
  const at = Date.now()
  const dates = [at, at + DAY_MS / 2, at + 365 * DAY_MS]
  const bans = await Promise.all(dates.map((dated) => madeUp(mallory, alice, { root, parent, at, dated })))
  const again = await tells(mallory, root, bans)
  await sees(root, again, isIn)
  assert.ok(isIn(await rowAt(root, alice)))
  assert.ok(!root.node.output().includes(`peer gone: ${alice.peerId}`))
})

test('an admin whose grant has ended bans whom it let in: nobody is cut, and the ban is not passed on', async () => {
  await using machines = new AsyncDisposableStack()
  const [first, second, third] = [
    machines.use(await createMachine()),
    machines.use(await createMachine()),
    machines.use(await createMachine()),
  ]
  const root = await startNode(first, 'root')
  const carol = await startNode(second, 'carol')
  const mallory = await startNode(third, 'mallory', root)
  await joins(carol, root, 'client')
  await sees(root, carol, isIn)
  // Its person at the root still admits it, as a client.
  ok(await first.run(['peers', 'admit', mallory.peerId, '--yes']))
  const then = Date.now() - 31 * DAY_MS
  const parent = await issueGrant({ to: mallory.peerId, role: 'admin' }, { key: await keyOf(root), self: root.peerId, parent: [] }, then)
  const ban = await madeUp(mallory, carol, { root, parent, at: then })
  await tells(mallory, root, [ban])
  assert.ok(isIn(await rowAt(root, carol)))
  assert.ok((await known(root)).bans.every(({ token }) => token !== ban.token))
})

test("a banned admin's bans of whom it had let in end with it: the root may invite them", async () => {
  await using machines = new AsyncDisposableStack()
  const [first, second, third] = [
    machines.use(await createMachine()),
    machines.use(await createMachine()),
    machines.use(await createMachine()),
  ]
  const root = await startNode(first, 'root')
  const mallory = await startNode(second, 'mallory')
  await joins(mallory, root, 'admin')
  const carol = await startNode(third, 'carol', root)
  await joins(carol, mallory, 'client')
  await sees(root, carol, isIn)
  ok(await second.run(['peers', 'ban', carol.peerId, '--mesh-wide', '--yes']))
  await sees(root, carol, (row) => row?.trust === 'banned' && row.state !== 'connected')
  ok(await first.run(['peers', 'ban', mallory.peerId, '--mesh-wide', '--yes']))
  await sees(root, carol, (row) => row?.trust !== 'banned')
  await joins(carol, root, 'member')
  await sees(root, carol, (row) => isIn(row) && row?.role === 'member')
})
