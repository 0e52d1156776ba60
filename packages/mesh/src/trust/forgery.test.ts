import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError, silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { join } from 'node:path'
import { newHome } from '../testing/mesh-kit.ts'
import { HELLO } from '../testing/stranger.ts'
import { newSigner } from '../testing/signer.ts'
import type { Signer } from '../testing/signer.ts'
import { issueGrant, openChain, readChain } from './grant.ts'
import type { Chain, Grant } from './grant.ts'
import { openInviteLink, proofOf } from './invite-link.ts'
import type { InviteLink } from './invite-link.ts'
import { openKnownPeersFile } from './known-peers-file.ts'
import { createMembership } from './membership.ts'
import type { Membership } from './membership.ts'
import { signBan } from './mesh-ban.ts'
import type { MeshBan } from './mesh-ban.ts'
import { signRotation } from './rotation.ts'
import { signToken } from './signed.ts'
import { createTrustBook } from './trust-book.ts'
import type { TrustBook } from './trust-book.ts'

const [root, admin, bearer, thief, stranger] = await Promise.all([newSigner(), newSigner(), newSigner(), newSigner(), newSigner()])

/** A node that is the root of its mesh, or has joined `roots`. */
async function nodeOf(
  { key, self }: Signer,
  roots: PeerId[] = [],
): Promise<{ membership: Membership; trust: TrustBook; roleOf(peer: Signer): string | undefined }> {
  const file = await openKnownPeersFile(join(await newHome(), 'known_peers.json'))
  file.content.roots.push(...roots)
  const trust = createTrustBook({ clock: systemClock, file }, { self, configured: [], open: false })
  const addresses = (): string[] => ['/ip4/127.0.0.1/tcp/1']
  const membership = createMembership({ clock: systemClock, log: silentLogger, key, trust, content: file.content, addresses }, { self })
  return { membership, trust, roleOf: (peer) => trust.standing(peer.self).role }
}
const chainOf = async (granter: Signer, to: Signer, options: { parent?: Chain; role?: Grant['role'] } = {}): Promise<Chain> =>
  await issueGrant({ to: to.self, role: options.role ?? 'client' }, { ...granter, parent: options.parent ?? [] }, Date.now())
const refusesAll = (error: unknown): boolean => isAppError(error, 'bad_request', 'forbidden')

/** The same text with one character changed for its neighbour: never the same bytes, but at the unused bits of an end. */
const flipped = (text: string, at: number): string => {
  const char = text[at] ?? ''
  return `${text.slice(0, at)}${char === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
}
const bytesOf = (token: string): string =>
  token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('hex'))
    .join('.')

test('a grant with any one character changed, or cut anywhere, is none', async () => {
  const [token = ''] = await chainOf(root, bearer)
  for (let at = 0; at < token.length; at += 1) {
    const altered = flipped(token, at)
    if (bytesOf(altered) !== bytesOf(token)) await assert.rejects(openChain([altered]), refusesAll, `character ${at}`)
    await assert.rejects(openChain([token.slice(0, at)]), refusesAll, `cut at ${at}`)
  }
  assert.equal((await openChain([token])).length, 1)
})

test('an invite with any one character changed is refused before anything is dialled', async () => {
  const { membership } = await nodeOf(root)
  const { url } = await membership.invite()
  const at0 = 'qmt://mesh/join/'.length
  for (let at = 0; at < url.length; at += 1) {
    const altered = flipped(url, at)
    const isSame = at >= at0 && bytesOf(altered.slice(at0)) === bytesOf(url.slice(at0))
    if (!isSame && altered !== url) await assert.rejects(openInviteLink(altered), refusesAll, `character ${at}`)
  }
})

test('a grant with any one field changed, signed again by its bearer, is none; so is one with a raised role by its own granter', async () => {
  const [token = ''] = await chainOf(root, bearer)
  const [grant] = readChain([token])
  assert.ok(grant)
  const changes: Partial<Grant>[] = [
    { role: 'admin' },
    { until: grant.until + 1_000 },
    { from: grant.from - 1_000 },
    { to: thief.self },
    { by: bearer.self },
    { root: bearer.self },
    { depth: 2 },
    { labels: ['gpu'] },
    { id: 'gr_0000000000000000' },
  ]
  const node = await nodeOf(stranger, [root.self])
  for (const change of changes) {
    const forged = [await signToken('grant', { ...grant, ...change }, bearer.key)]
    await node.membership.asked(bearer.self, { ...HELLO, grants: [forged] })
    assert.equal(node.roleOf(bearer), undefined, JSON.stringify(change))
  }
  const above = await chainOf(root, admin, { role: 'member' })
  const [, said] = readChain([...above, token])
  const raised = await signToken('grant', { ...said, by: admin.self, to: bearer.self, role: 'admin', depth: 2 }, admin.key)
  await node.membership.asked(bearer.self, { ...HELLO, grants: [[...above, raised]] })
  assert.equal(node.roleOf(bearer), undefined)
  await node.membership.asked(bearer.self, { ...HELLO, grants: [[...(await chainOf(root, bearer))]] })
  assert.equal(node.roleOf(bearer), 'client')
})

test('a grant that is shown by another than its bearer, of another root, issued by oneself, or of a fourth depth admits nobody', async () => {
  const node = await nodeOf(stranger, [root.self])
  const shown = async (by: Signer, chain: Chain): Promise<string | undefined> => {
    await node.membership.asked(by.self, { ...HELLO, grants: [[...chain]] })
    return node.roleOf(by)
  }
  assert.equal(await shown(thief, await chainOf(root, bearer)), undefined)
  assert.equal(await shown(bearer, await chainOf(thief, bearer)), undefined)
  const own = await chainOf(thief, admin, { role: 'admin' })
  assert.equal(await shown(bearer, await chainOf(admin, bearer, { parent: own })), undefined)
  const self = await signToken('grant', { ...readChain(await chainOf(root, thief))[0], role: 'admin' }, thief.key)
  assert.equal(await shown(thief, [self]), undefined)
  const one = await chainOf(root, admin, { role: 'admin' })
  const two = await chainOf(admin, thief, { role: 'admin', parent: one })
  const three = await chainOf(thief, stranger, { role: 'admin', parent: two })
  const last = readChain(three).at(-1)
  const fourth = await signToken('grant', { ...last, by: stranger.self, to: bearer.self, depth: 4 }, stranger.key)
  assert.equal(await shown(bearer, [...three, fourth]), undefined)
  assert.equal(await shown(bearer, [...two.slice(1), ...three.slice(2)]), undefined)
})

test('a grant that ended, or is of tomorrow, or whose bearer or granter is banned admits nobody, however often it is shown', async () => {
  const node = await nodeOf(stranger, [root.self])
  const shown = async (by: Signer, chain: Chain): Promise<string | undefined> => {
    await node.membership.asked(by.self, { ...HELLO, grants: [[...chain]] })
    return node.roleOf(by)
  }
  for (const days of [-31, 1]) {
    const terms = { to: thief.self, role: 'client' } as const
    assert.equal(await shown(thief, await issueGrant(terms, { ...root, parent: [] }, Date.now() + days * 86_400_000)), undefined)
  }
  const above = await chainOf(root, admin, { role: 'admin' })
  const chain = await chainOf(admin, bearer, { parent: above })
  assert.equal(await shown(bearer, chain), 'client')
  const say = (at: number, lifted?: true): Promise<MeshBan> =>
    signBan({ root: root.self, peer: admin.self, by: root.self, at, lifted }, above, root.key)
  assert.equal(await node.membership.takeBan(await say(1)), true)
  assert.deepEqual([await shown(admin, above), await shown(bearer, chain)], [undefined, undefined])
  const lifting = await say(2, true)
  assert.equal(await node.membership.takeBan(lifting), true)
  assert.equal(await shown(bearer, chain), 'client')
  assert.equal(await node.membership.takeBan(await say(3)), true)
  assert.equal(await node.membership.takeBan(lifting), false) // an older word, shown again
  assert.equal(await shown(bearer, chain), undefined)
})

test('a rotation that is altered, of another purpose, of another key, of tomorrow or of last month moves nothing; one is of use once', async () => {
  const node = await nodeOf(stranger)
  await node.trust.admit(bearer.self, { role: 'member' })
  const says = { v: 1, before: bearer.self, after: admin.self, at: Date.now() }
  const shows = async (by: Signer, ...rotated: string[]): Promise<string | undefined> => {
    await node.membership.asked(by.self, { ...HELLO, rotated })
    return node.roleOf(by)
  }
  const right = await signRotation({ before: bearer.self, after: admin.self, at: Date.now() }, bearer.key)
  for (const wrong of [
    flipped(right, 20),
    flipped(right, right.length - 10),
    await signToken('grant', says, bearer.key),
    await signToken('rotation', says, admin.key),
    await signRotation({ before: bearer.self, after: admin.self, at: Date.now() + 86_400_000 }, bearer.key),
    await signRotation({ before: bearer.self, after: admin.self, at: Date.now() - 31 * 86_400_000 }, bearer.key),
  ]) {
    assert.equal(await shows(admin, wrong), undefined)
    assert.equal(node.roleOf(bearer), 'member')
  }
  assert.equal(await shows(thief, right), undefined)
  assert.equal(await shows(admin, right), 'member')
  assert.equal(node.trust.standing(bearer.self).state, 'banned')
  // What a person says of the new id later holds against the same word, shown again.
  await node.trust.ban(admin.self)
  assert.equal(await shows(admin, right), undefined)
  assert.equal(node.trust.standing(admin.self).state, 'banned')
})

test('an invite that is not there, whose proof is altered, of another invite, another inviter or another joiner is not redeemed', async () => {
  const here = await nodeOf(root)
  const link = await openInviteLink((await here.membership.invite({ role: 'admin' })).url)
  const other = await openInviteLink((await here.membership.invite()).url)
  const elsewhere = await openInviteLink((await (await nodeOf(admin)).membership.invite()).url)
  const ask = async (joiner: Signer, { id, proof }: { id: string; proof: string }) =>
    (await here.membership.asked(joiner.self, { ...HELLO, join: { id, proof } })).granted
  const right = proofOf(link, bearer.self)
  const made: InviteLink = { ...link, secret: Buffer.alloc(16).toString('base64url') }
  for (const [what, id, proof] of [
    ['a made up secret', link.id, proofOf(made, bearer.self)],
    ['another invite', link.id, proofOf(other, bearer.self)],
    ['another inviter', link.id, proofOf({ ...link, inviter: admin.self }, bearer.self)],
    ['an invite of another node', elsewhere.id, proofOf(elsewhere, bearer.self)],
    ['another joiner', link.id, proofOf(link, thief.self)],
    ['no invite', 'inv_0000000000000000', right],
    ['an empty proof', link.id, ''],
  ] as const) {
    assert.equal(await ask(bearer, { id, proof }), undefined, what)
  }
  for (let at = 0; at < right.length - 1; at += 1) assert.equal(await ask(bearer, { id: link.id, proof: flipped(right, at) }), undefined)
  assert.equal(here.roleOf(bearer), undefined)
  assert.ok(await ask(bearer, { id: link.id, proof: right }))
  assert.equal(here.roleOf(bearer), 'admin')
  // Used up: what the first one sent is of no use to another, and neither is a proof of its own.
  assert.equal(await ask(thief, { id: link.id, proof: right }), undefined)
  assert.equal(await ask(thief, { id: link.id, proof: proofOf(link, thief.self) }), undefined)
  await here.membership.revoke(other.id)
  assert.equal(await ask(thief, { id: other.id, proof: proofOf(other, thief.self) }), undefined)
  assert.equal(here.roleOf(thief), undefined)
})
