// A valid signature gives no authority of its own: what it is worth is judged at the node that uses it, when it is used.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock, PeerId } from '@qmtcode/protocol'
import { HELLO } from '../testing/stranger.ts'
import { newSigner } from '../testing/signer.ts'
import type { Signer } from '../testing/signer.ts'
import { joins, meet, trustNode } from '../testing/trust-kit.ts'
import type { TrustNode } from '../testing/trust-kit.ts'
import { issueGrant } from './grant.ts'
import type { Chain, GrantTerms } from './grant.ts'
import { signBan } from './mesh-ban.ts'
import type { MeshBan } from './mesh-ban.ts'
import { signRotation } from './rotation.ts'

const DAY = 86_400_000
const signers = await Promise.all(Array.from({ length: 6 }, newSigner))
const [s0, s1, s2, s3, s4, s5] = signers as [Signer, Signer, Signer, Signer, Signer, Signer]

/** A mesh: `mallory` and `alice` are admins by the root, `carol` a client by mallory, `here` the node that judges. Nobody has met `here`. */
async function mesh() {
  let now = 1_800_000_000_000
  const clock: Clock & { pass(ms: number): void } = { now: () => now, monotonic: () => now, pass: (ms) => (now += ms) }
  const node = (signer: Signer): Promise<TrustNode> => trustNode(signer, clock)
  const [root, mallory, alice, carol, here, other] = await Promise.all([node(s0), node(s1), node(s2), node(s3), node(s4), node(s5)])
  await joins(mallory, root, { role: 'admin' })
  await joins(alice, root, { role: 'admin' })
  await joins(here, root, { role: 'member' })
  await joins(carol, mallory, { role: 'client' })
  const chainOf = (of: TrustNode): Chain => of.membership.shown().chains[0] ?? []
  return {
    root,
    mallory,
    alice,
    carol,
    here,
    other,
    clock,
    chainOf,
    grant: (by: TrustNode, terms: GrantTerms, parent = by === root ? [] : chainOf(by), at = now): Promise<Chain> =>
      issueGrant(terms, { key: by.key, self: by.self, parent }, at),
    ban: (by: TrustNode, peer: PeerId, { at = now, lifted, chain }: { at?: number; lifted?: true; chain?: Chain } = {}): Promise<MeshBan> =>
      signBan({ root: root.self, peer, by: by.self, at, lifted }, chain ?? [], by.key),
    shows: (peer: TrustNode, ...chains: Chain[]) =>
      here.membership.asked(peer.self, { ...HELLO, grants: chains.map((chain) => [...chain]) }),
    hears: (ban: MeshBan) => here.membership.takeBan(ban),
  }
}
/** Of its own grant. */
const idOf = (node: TrustNode): string | undefined => node.trust.grants.own()[0]?.grants.at(-1)?.id
type Mesh = Awaited<ReturnType<typeof mesh>>

/** What each story ends with, at the node that judges. */
const STORIES: [title: string, story: (mesh: Mesh) => Promise<string>, expected: string][] = [
  [
    "an admin bans one that it let in, which showed this node that admin's grant",
    async ({ here, carol, mallory, ban, chainOf, hears }) => {
      await meet(carol, here)
      await hears(await ban(mallory, carol.self, { chain: chainOf(carol) }))
      return here.says(carol)
    },
    'banned',
  ],
  [
    'the same, and this node meets the banned one only afterwards',
    async ({ here, carol, mallory, ban, chainOf, hears }) => {
      await hears(await ban(mallory, carol.self, { chain: chainOf(carol) }))
      await meet(carol, here)
      return here.says(carol)
    },
    'banned',
  ],
  [
    'an admin signs a grant for another admin that asked it for none, and bans it by that',
    async ({ here, alice, mallory, grant, ban, hears }) => {
      await meet(alice, here)
      await hears(await ban(mallory, alice.self, { chain: await grant(mallory, { to: alice.self, role: 'client' }) }))
      return here.says(alice)
    },
    'admin',
  ],
  [
    'the same, before this node met the other',
    async ({ here, alice, mallory, grant, ban, hears }) => {
      await hears(await ban(mallory, alice.self, { chain: await grant(mallory, { to: alice.self, role: 'client' }) }))
      await meet(alice, here)
      return here.says(alice)
    },
    'admin',
  ],
  [
    "an admin's ban ends with its own grant",
    async ({ root, here, carol, mallory, alice, clock, grant, ban, chainOf, hears, shows }) => {
      await meet(carol, here)
      await hears(await ban(mallory, carol.self, { chain: chainOf(carol) }))
      clock.pass(25 * DAY)
      for (const node of [alice, here]) await meet(node, root)
      await shows(carol, await grant(alice, { to: carol.self, role: 'client' }))
      assert.equal(here.says(carol), 'banned')
      clock.pass(6 * DAY)
      await shows(carol, await grant(alice, { to: carol.self, role: 'client' }))
      return here.says(carol)
    },
    'client',
  ],
  [
    'a lapsed admin bans one that it let in',
    async ({ here, carol, mallory, clock, ban, chainOf, hears }) => {
      await meet(carol, here)
      const chain = chainOf(carol)
      clock.pass(31 * DAY)
      assert.equal(await hears(await ban(mallory, carol.self, { chain })), false)
      return here.says(carol)
    },
    'unknown',
  ],
  [
    'a banned admin bans one that it let in; once the root lets it in again, that counts',
    async ({ here, root, carol, mallory, clock, ban, chainOf, hears }) => {
      await meet(carol, here)
      await hears(await ban(mallory, carol.self, { chain: chainOf(carol) }))
      await hears(await ban(root, mallory.self))
      assert.equal(here.trust.grants.isBannedIn(root.self, carol.self), false)
      await hears(await ban(root, mallory.self, { at: clock.now() + 1, lifted: true }))
      return here.says(carol)
    },
    'banned',
  ],
  [
    "an admin that this node's person lowered bans one that it let in",
    async ({ here, carol, mallory, ban, chainOf, hears }) => {
      await meet(mallory, here)
      await meet(carol, here)
      await hears(await ban(mallory, carol.self, { chain: chainOf(carol) }))
      await here.trust.setRole(mallory.self, 'member')
      return here.says(carol)
    },
    'client',
  ],
  [
    'an admin that the root lowered bans one that it let in',
    async ({ here, root, carol, mallory, grant, clock, ban, chainOf, hears, shows }) => {
      await meet(carol, here)
      await hears(await ban(mallory, carol.self, { chain: chainOf(carol) }))
      clock.pass(1_000)
      await shows(mallory, await grant(root, { to: mallory.self, role: 'client' }))
      return here.trust.grants.isBannedIn(root.self, carol.self) ? 'banned' : 'not banned'
    },
    'not banned',
  ],
  [
    'the root lifts what an admin dates a year ahead, before and after',
    async ({ here, root, carol, mallory, clock, ban, chainOf, hears }) => {
      await meet(carol, here)
      const at = clock.now() + 365 * DAY
      assert.equal(await hears(await ban(mallory, carol.self, { at, chain: chainOf(carol) })), false)
      await hears(await ban(mallory, carol.self, { at: clock.now() + DAY - 1, chain: chainOf(carol) }))
      assert.equal(here.says(carol), 'banned')
      await hears(await ban(root, carol.self, { lifted: true }))
      assert.equal(here.says(carol), 'client')
      clock.pass(2 * DAY)
      await hears(await ban(mallory, carol.self, { at: clock.now() + DAY - 1, chain: chainOf(carol) }))
      return here.says(carol)
    },
    'client',
  ],
  [
    "the root's words count whatever date it put on them, the later one before the earlier",
    async ({ here, root, alice, clock, ban, hears }) => {
      await meet(alice, here)
      await hears(await ban(root, alice.self, { at: clock.now() + 365 * DAY }))
      assert.equal(here.says(alice), 'banned')
      await hears(await ban(root, alice.self, { at: clock.now() + 365 * DAY + 1, lifted: true }))
      await hears(await ban(root, alice.self, { at: clock.now() }))
      return here.says(alice)
    },
    'admin',
  ],
  [
    'one that the root lowered shows its older grant again',
    async ({ here, root, alice, clock, grant, chainOf, shows }) => {
      const older = chainOf(alice)
      await shows(alice, older)
      clock.pass(DAY)
      await shows(alice, await grant(root, { to: alice.self, role: 'client' }))
      await shows(alice, older)
      return here.says(alice)
    },
    'client',
  ],
  [
    'one that the root lowered shows a later grant of another admin, also under a new key',
    async ({ here, root, alice, mallory, other, clock, grant, chainOf, shows }) => {
      const older = chainOf(alice)
      await shows(alice, older)
      clock.pass(DAY)
      await shows(alice, await grant(root, { to: alice.self, role: 'client' }))
      const raised = await grant(mallory, { to: alice.self, role: 'admin' }, chainOf(mallory), clock.now() + 60_000)
      await shows(alice, raised, older)
      assert.equal(here.says(alice), 'client')
      const rotated = [await signRotation({ before: alice.self, after: other.self, at: clock.now() }, alice.key)]
      await here.membership.asked(other.self, { ...HELLO, rotated, grants: [[...raised], [...older]] })
      return here.says(other)
    },
    'client',
  ],
  [
    'one that the root lowered lets another in by its older grant',
    async ({ here, root, mallory, other, clock, grant, chainOf, shows }) => {
      const older = chainOf(mallory)
      clock.pass(DAY)
      await shows(mallory, await grant(root, { to: mallory.self, role: 'client' }))
      await shows(other, await grant(mallory, { to: other.self, role: 'admin' }, older))
      return here.says(other)
    },
    'unknown',
  ],
  [
    "one that this node's person lowered or banned lets another in",
    async ({ here, mallory, other, grant, shows }) => {
      await meet(mallory, here)
      await here.trust.setRole(mallory.self, 'client')
      await shows(other, await grant(mallory, { to: other.self, role: 'admin' }))
      assert.equal(here.says(other), 'client')
      await here.trust.ban(mallory.self)
      return here.says(other)
    },
    'unknown',
  ],
  [
    "a root that this node's person lowered lets another in",
    async ({ here, root, other, grant, shows }) => {
      await here.trust.setRole(root.self, 'observer')
      await shows(other, await grant(root, { to: other.self, role: 'admin' }))
      return here.says(other)
    },
    'observer',
  ],
  [
    'an admin beside the granter sends a renewal with its own name, or another role',
    async ({ root, alice, carol, mallory, clock, chainOf, grant }) => {
      const own = chainOf(carol)
      clock.pass(21 * DAY)
      await meet(alice, root)
      for (const role of ['observer', 'admin'] as const) {
        const renewed = await grant(alice, { to: carol.self, role, id: idOf(carol) })
        await carol.membership.heard(alice.self, { ...HELLO, granted: [...renewed] })
        await carol.membership.heard(mallory.self, { ...HELLO, granted: [...renewed] })
      }
      return chainOf(carol).join() === own.join() ? 'as before' : 'changed'
    },
    'as before',
  ],
  [
    'the root renews what an admin granted, with another role',
    async ({ root, carol, clock, chainOf, grant, here }) => {
      clock.pass(DAY)
      const renewed = await grant(root, { to: carol.self, role: 'member', id: idOf(carol) })
      await carol.membership.heard(root.self, { ...HELLO, granted: [...renewed] })
      assert.equal(chainOf(carol).join(), renewed.join())
      await meet(carol, here)
      return here.says(carol)
    },
    'member',
  ],
  [
    "a granter's person lowers one: the next grant says so, and an invite gives no more",
    async ({ root, alice, clock, here }) => {
      await root.trust.setRole(alice.self, 'client')
      clock.pass(DAY)
      await meet(alice, root)
      await joins(alice, root, { role: 'admin' })
      await meet(alice, here)
      return here.says(alice)
    },
    'client',
  ],
  [
    'one that is banned in the mesh comes with a new key, before or after the ban is heard',
    async ({ here, root, alice, other, clock, chainOf, grant, ban, hears, shows }) => {
      await meet(alice, here)
      const rotated = [await signRotation({ before: alice.self, after: other.self, at: clock.now() }, alice.key)]
      await here.membership.asked(other.self, { ...HELLO, rotated, grants: [[...chainOf(alice)]] })
      assert.equal(here.says(other), 'admin')
      await shows(other, await grant(root, { to: other.self, role: 'admin' }))
      await hears(await ban(root, alice.self))
      return here.says(other)
    },
    'banned',
  ],
  [
    'a key that an admin gave up, and a thief has, lets another in, and bans',
    async ({ here, alice, carol, mallory, other, clock, chainOf, grant, ban, hears, shows }) => {
      await meet(mallory, here)
      await meet(carol, here)
      const rotated = [await signRotation({ before: mallory.self, after: other.self, at: clock.now() }, mallory.key)]
      await here.membership.asked(other.self, { ...HELLO, rotated })
      assert.deepEqual([here.says(other), here.says(carol)], ['admin', 'client'])
      clock.pass(DAY)
      await hears(await ban(mallory, carol.self, { chain: chainOf(carol) }))
      assert.equal(here.says(carol), 'client')
      await shows(alice, await grant(mallory, { to: alice.self, role: 'client' }))
      return here.says(alice)
    },
    'unknown',
  ],
  [
    'a key that the root gave up, and a thief has, lets another in, bans, and lifts',
    async ({ here, root, alice, mallory, carol, other, clock, grant, ban, hears, shows }) => {
      for (const node of [alice, mallory]) await meet(node, here)
      const rotated = [await signRotation({ before: root.self, after: other.self, at: clock.now() }, root.key)]
      await here.membership.asked(other.self, { ...HELLO, rotated })
      clock.pass(DAY)
      await hears(await signBan({ root: other.self, peer: mallory.self, by: other.self, at: clock.now() }, [], other.key))
      await hears(await ban(root, alice.self, { at: clock.now() + 365 * DAY }))
      await hears(await ban(root, mallory.self, { at: clock.now() + 365 * DAY, lifted: true }))
      await shows(carol, await grant(root, { to: carol.self, role: 'admin' }))
      return [alice, mallory, carol].map((node) => here.says(node)).join()
    },
    'admin,banned,unknown',
  ],
  [
    'a grant of tomorrow does not put out the one of today',
    async ({ here, root, alice, clock, grant, shows }) => {
      await meet(alice, here)
      await shows(alice, await grant(root, { to: alice.self, role: 'admin' }, [], clock.now() + 2 * DAY))
      return here.says(alice)
    },
    'admin',
  ],
]

for (const [title, story, expected] of STORIES) {
  test(`a valid signature is no authority: ${title}`, async () => {
    assert.equal(await story(await mesh()), expected)
  })
}

test("a ban of one mesh takes nothing that another mesh gives, and its root bans no other mesh's root", async () => {
  const { root, alice, other, here, clock, ban, hears, grant, shows } = await mesh()
  await joins(here, other, { role: 'client' })
  await shows(alice, await issueGrant({ to: alice.self, role: 'member' }, { key: other.key, self: other.self, parent: [] }, clock.now()))
  await shows(alice, await grant(root, { to: alice.self, role: 'client' }))
  assert.equal(here.says(alice), 'member')
  await hears(await ban(root, alice.self))
  await hears(await ban(root, other.self))
  assert.deepEqual([here.says(alice), here.says(other)], ['member', 'admin'])
})

test('an admin whose own ban would not count is told so, and bans here alone', async () => {
  const { root, mallory, carol, clock, ban } = await mesh()
  await mallory.membership.takeBan(await ban(root, carol.self))
  await mallory.membership.takeBan(await ban(root, carol.self, { at: clock.now() + 1, lifted: true }))
  await assert.rejects(mallory.membership.ban(carol.self), /only the root bans it there again/)
  clock.pass(31 * DAY)
  await assert.rejects(mallory.membership.ban(carol.self), /not an admin of the mesh/)
})

test('whoever came in by one that is banned, lowered or lapsed is told of at once, and nobody else', async () => {
  const { root, alice, mallory, carol, here, clock, ban, hears } = await mesh()
  for (const node of [alice, mallory, carol]) await meet(node, here)
  const told: string[] = []
  const names = new Map([alice, mallory, carol].map(({ self }, at) => [self, ['alice', 'mallory', 'carol'][at] ?? '']))
  here.trust.onChange((peerId, { before, after }) => told.push(`${names.get(peerId)}: ${before.role} → ${after.role ?? after.state}`))
  const lately = (): string[] => told.splice(0).toSorted()
  await here.trust.setRole(mallory.self, 'observer')
  assert.deepEqual(lately(), ['carol: client → observer', 'mallory: admin → observer'])
  await here.trust.ban(mallory.self)
  assert.deepEqual(lately(), ['carol: observer → unknown', 'mallory: observer → banned'])
  await here.membership.unban(mallory.self)
  lately()
  await hears(await ban(root, mallory.self))
  assert.deepEqual(lately(), ['carol: observer → unknown', 'mallory: observer → banned'])
  await hears(await ban(root, mallory.self, { at: clock.now() + 1, lifted: true }))
  lately()
  clock.pass(31 * DAY)
  here.trust.review()
  assert.deepEqual(lately(), ['alice: admin → unknown', 'carol: observer → unknown', 'mallory: observer → unknown'])
})

for (const role of ['client', 'admin'] as const) {
  test(`admins that granted the role ${role} to, and banned, each other in a circle: each question has an answer, soon`, async () => {
    const { root, here, grant, ban, clock } = await mesh()
    const nodes = await Promise.all(Array.from({ length: 20 }, async () => await trustNode(await newSigner(), clock)))
    const ring = await Promise.all(nodes.map(async (node) => ({ node, chain: await grant(root, { to: node.self, role: 'admin' }) })))
    for (const [nth, { node }] of ring.entries()) {
      for (const other of [ring[(nth + 1) % ring.length], ring[(nth + 7) % ring.length]]) {
        assert.ok(other)
        const chain = await grant(other.node, { to: node.self, role }, other.chain)
        const banned = await ban(other.node, node.self, { chain })
        await here.trust.update(() => (here.trust.grants.keep(node.self, chain), here.trust.grants.addBan(banned)))
      }
    }
    const startedAt = performance.now()
    for (const { node } of ring) here.says(node)
    assert.ok(performance.now() - startedAt < 2_000)
  })
}
