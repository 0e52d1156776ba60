import type { Ed25519PrivateKey } from '@libp2p/interface'
import { AppError, inviteInitSchema, isAppError, nodeNameSchema, roleIncludes, silentAudit, toAppError } from '@qmtcode/protocol'
import type { Audit, Clock, InviteInfo, InviteInit, KnownPeer, Logger, NewInvite, PeerId } from '@qmtcode/protocol'
import type { Hello } from '../handshake/hello.ts'
import { MAX_DEPTH, RENEW_BELOW_MS, endOf, issueGrant, openChain, readChain } from './grant.ts'
import type { Chain, Grant, GrantTerms } from './grant.ts'
import { createInviteBook } from './invite-book.ts'
import { MAX_INVITE_ADDRESSES, writeInviteLink } from './invite-link.ts'
import type { InviteLink } from './invite-link.ts'
import type { StoredInvite } from './invite-book.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { openBan, signBan } from './mesh-ban.ts'
import type { MeshBan } from './mesh-ban.ts'
import { earlierSelves, openRotations, shownRotations } from './rotation.ts'
import type { TrustBook } from './trust-book.ts'

/** What this node is in its meshes: it invites, redeems, renews, bans, and keeps what others show. */
export interface Membership {
  /** What each hello carries. */
  shown(): { rotated: string[]; chains: Chain[] }
  /** Takes what a peer's hello shows, and gives what the answer is to carry. Never throws. */
  asked(peerId: PeerId, hello: Hello): Promise<Pick<Hello, 'granted' | 'refused'>>
  /** Takes what a peer's answer shows. Never throws. */
  heard(peerId: PeerId, hello: Hello): Promise<void>
  /** Keeps the grant that `link` brought, and what it says of its inviter. Throws bad_request, forbidden. */
  joined(link: InviteLink, granted: Chain, about: { name?: string; use: boolean }): Promise<void>
  invite(init?: InviteInit): Promise<NewInvite>
  invites(): Promise<InviteInfo[]>
  revoke(inviteId: string): Promise<InviteInfo>
  /** See `Trust.ban` with `mesh`. */
  ban(peerId: PeerId): Promise<KnownPeer>
  /** See `Trust.unban`. */
  unban(peerId: PeerId): Promise<KnownPeer>
  /** Keeps a ban that a peer told. False: it is known, or of a mesh that is not ours. Throws where it does not count. */
  takeBan(ban: MeshBan): Promise<boolean>
  onBan(listener: () => void): void
  /** This node's own grants changed: whoever is connected is to see them. */
  onOwn(listener: () => void): void
  /** Whether `peerId` should be asked to renew a grant of this node. */
  wantsRenewal(peerId: PeerId): boolean
}

export interface MembershipComponents {
  clock: Clock
  log: Logger
  audit?: Audit
  key: Ed25519PrivateKey
  trust: TrustBook
  content: KnownPeersContent
  /** Dialable, with `/p2p`. */
  addresses(): string[]
}

export function createMembership(components: MembershipComponents, { self }: { self: PeerId }): Membership {
  const { clock, log, audit = silentAudit, key, trust, content } = components
  const { grants } = trust
  const book = createInviteBook({ clock, invites: content.invites }, { self })
  const banListeners: (() => void)[] = []
  const ownListeners: (() => void)[] = []
  const selves = new Set<PeerId>([self, ...earlierSelves(content.rotations)])

  const isAdmin = (chain: readonly Grant[]): boolean =>
    chain.at(-1)?.role === 'admin' && chain.at(-1)?.to === self && chain.length < MAX_DEPTH
  /** The mesh that this node may invite into: the first that it is an admin of, else its own. */
  function place(root?: PeerId): { root: PeerId; chain: Chain } {
    const admin = grants.own().find(({ root: own, grants: chain }) => (root ?? own) === own && isAdmin(chain))
    if (admin && root !== self) return admin
    if (root !== undefined && root !== self) throw new AppError('forbidden', `this node is no admin of the mesh ${root} any more`)
    return { root: self, chain: [] }
  }
  const issue = async (terms: GrantTerms, root: PeerId): Promise<Chain> =>
    await issueGrant(terms, { key, self, parent: place(root).chain }, clock.now())

  async function redeem(peerId: PeerId, { id, proof }: NonNullable<Hello['join']>): Promise<Chain> {
    requireWelcome(peerId)
    const invite = book.redeem(id, proof, peerId)
    await trust.update(() => undefined) // counted on disk before anything is given
    const chain = await issue({ to: peerId, role: invite.role, labels: invite.labels }, invite.root)
    await trust.update(() => {
      grants.keep(peerId, chain)
      trust.introduce(peerId, { name: nameFor(invite) })
    })
    log.info('joined by an invite', { peerId, invite: id, role: invite.role })
    audit.note({
      kind: 'invite',
      direction: 'in',
      what: 'redeemed',
      peerId,
      name: trust.nameOf(peerId),
      target: id,
      outcome: 'ok',
      reason: `as ${invite.role}`,
    })
    return chain
  }
  const nameFor = ({ name, uses }: StoredInvite): string | undefined => (uses === 1 ? name : undefined)
  function requireWelcome(peerId: PeerId): void {
    if (trust.standing(peerId).state === 'banned') throw new AppError('forbidden', 'this node is banned there')
  }

  /** Keeps the longest of the chains that `peerId` shows, if one is of a mesh of ours. `earlier`: ids that it proved to have been. */
  async function accept(peerId: PeerId, chains: readonly Chain[], earlier: readonly PeerId[]): Promise<void> {
    for (const chain of chains) {
      const kept = grants.chainOf(peerId)
      if (kept && kept.join() === chain.join()) continue
      const [first] = readChain(chain)
      if (!first || !grants.isPinned(first.root) || grants.isBanned(peerId)) continue
      const opened = await openChain(chain)
      const bearer = opened.at(-1)?.to
      if (bearer !== peerId && !earlier.some((id) => id === bearer)) throw new AppError('bad_request', 'a grant of another peer')
      if (kept && grants.grantOf(peerId) && endOf(readChain(kept)) >= endOf(opened)) continue
      await trust.update(() => grants.keep(peerId, chain))
    }
  }
  async function follow(peerId: PeerId, tokens: readonly string[]): Promise<PeerId[]> {
    const steps = await openRotations(tokens, peerId, clock.now())
    for (const { before, after } of steps) {
      if (!(await trust.move(before, after))) continue
      log.warn('a peer has a new id, signed by the old one', { before, after })
      // It may stand above this node: what its old key granted is to be renewed by the new one.
      for (const listener of ownListeners) listener()
    }
    return steps.map(({ before }) => before)
  }
  async function take(peerId: PeerId, hello: Hello): Promise<void> {
    try {
      const earlier = hello.rotated ? await follow(peerId, hello.rotated) : []
      if (hello.grants) await accept(peerId, hello.grants, earlier)
    } catch (error) {
      log.info('refused what a peer shows', { peerId, error: toAppError(error).message })
    }
  }
  /** A fresh grant for a bearer whose own ends soon, if this node stands above it as an admin. */
  async function renewed(peerId: PeerId): Promise<Chain | undefined> {
    const chain = grants.chainOf(peerId)
    const grant = grants.grantOf(peerId)
    if (!chain || grant?.until === undefined) return undefined
    const old = readChain(chain)
    const last = old.at(-1)
    if (!last || trust.standing(peerId).state !== 'admitted' || !old.some(({ by }) => selves.has(by))) return undefined
    const isOfOldKeys = last.to !== peerId || old.some(({ by }) => by !== self && selves.has(by))
    if (!isOfOldKeys && grant.until - clock.now() >= RENEW_BELOW_MS) return undefined
    const fresh = await issue({ to: peerId, role: last.role, labels: last.labels, id: last.id }, selves.has(last.root) ? self : last.root)
    if (isOfOldKeys) {
      await trust.update(() => grants.keep(peerId, fresh))
      return fresh
    }
    if (endOf(readChain(fresh)) <= grant.until) return undefined
    await trust.update(() => grants.keep(peerId, fresh))
    log.info('renewed a grant', { peerId, grant: last.id })
    return fresh
  }
  async function takeRenewal(peerId: PeerId, chain: Chain): Promise<void> {
    const opened = await openChain(chain)
    const [{ root }] = opened
    const last = opened.at(-1)
    const mine = grants.own().find((own) => own.grants.at(-1)?.id === last?.id)
    if (!mine || last?.to !== self || !grants.isPinned(root)) return
    const isMoved = root !== mine.root || mine.grants.at(-1)?.to !== self
    if (!isMoved && endOf(opened) <= endOf(mine.grants)) return
    if (root !== mine.root) grants.dropOwn(mine.root)
    await trust.update(() => grants.keepOwn(root, chain))
    for (const listener of ownListeners) listener()
    log.info('a grant of this node was renewed', { by: peerId, root })
  }

  return {
    shown: () => ({
      rotated: shownRotations(content.rotations, self, clock.now()),
      chains: grants.own().map(({ chain }) => chain),
    }),
    async asked(peerId, hello) {
      await take(peerId, hello)
      try {
        const granted = hello.join ? await redeem(peerId, hello.join) : await renewed(peerId)
        return granted ? { granted: [...granted] } : {}
      } catch (error) {
        const { code, message } = toAppError(error)
        log.info('an invite was not redeemed', { peerId, invite: hello.join?.id, code, error: message })
        audit.note({ kind: 'invite', direction: 'in', what: 'redeemed', peerId, target: hello.join?.id, outcome: code, reason: message })
        return hello.join ? { refused: { code, message: isAppError(error) ? message.slice(0, 300) : 'it failed there' } } : {}
      }
    },
    async heard(peerId, hello) {
      await take(peerId, hello)
      try {
        if (hello.granted) await takeRenewal(peerId, hello.granted)
      } catch (error) {
        log.info('refused a renewed grant', { peerId, error: toAppError(error).message })
      }
    },
    async joined(link, granted, { name, use }) {
      const opened = await openChain(granted)
      const last = opened.at(-1)
      if (opened[0].root !== link.root || last?.to !== self || last.by !== link.inviter) {
        throw new AppError('bad_request', 'the grant that came for the invite is not for this node, or not of its mesh')
      }
      const above = granted.slice(0, -1)
      await trust.update(() => {
        grants.pinRoot(link.root)
        grants.keepOwn(link.root, granted)
        if (above.length > 0) grants.keep(link.inviter, above)
        trust.introduce(link.inviter, { name, use: use ? true : undefined, addresses: link.addresses })
      })
      for (const listener of ownListeners) listener()
    },
    async invite(init = {}) {
      const { name, role, ttlMs, uses, labels } = parseInit(init)
      const { root, chain } = place()
      const addresses = invitable(components.addresses())
      const granter = readChain(chain).at(-1)
      if (granter && !roleIncludes(granter.role, role)) throw new AppError('forbidden', `this node may not give the role ${role} there`)
      const invite = await trust.update(() => book.add({ name, role, labels, root, uses, ttlMs }))
      const link = { id: invite.id, secret: invite.secret, inviter: self, root, role, expiresAt: invite.expiresAt, addresses }
      const url = await writeInviteLink(link, key)
      const info = book.list().find(({ id }) => id === invite.id)
      if (!info) throw new AppError('internal', 'the invite is gone')
      return { ...info, url }
    },
    invites: () => Promise.resolve(book.list()),
    revoke: async (inviteId) => await trust.update(() => book.revoke(inviteId)),
    async ban(peerId) {
      const ban = await signedBan(peerId)
      await trust.ban(peerId)
      await trust.update(() => grants.addBan(ban))
      for (const listener of banListeners) listener()
      return await knownPeer(peerId)
    },
    async unban(peerId) {
      const liftings = await signedLiftings(peerId)
      await trust.lift(peerId, liftings)
      for (const listener of liftings.length > 0 ? banListeners : []) listener()
      return await knownPeer(peerId)
    },
    async takeBan(ban) {
      const statement = await openBan(ban)
      if (!grants.isPinned(statement.root)) return false
      const isNew = await trust.update(() => grants.addBan(ban))
      if (!isNew) return false
      log.warn(statement.lifted ? 'a ban in the mesh was lifted' : 'banned in the mesh', {
        peerId: statement.peer,
        by: statement.by,
        root: statement.root,
      })
      for (const listener of banListeners) listener()
      return true
    },
    onBan: (listener) => banListeners.push(listener),
    onOwn: (listener) => ownListeners.push(listener),
    wantsRenewal: (peerId) =>
      grants.own().some(({ root, grants: chain }) => {
        const isAbove = root === peerId || chain.some(({ by }) => by === peerId)
        return isAbove && (chain.at(-1)?.to !== self || endOf(chain) - clock.now() < RENEW_BELOW_MS)
      }),
  }

  async function knownPeer(peerId: PeerId): Promise<KnownPeer> {
    const known = (await trust.list()).find((peer) => peer.peerId === peerId)
    return known ?? { peerId, trust: 'unknown', use: false, source: 'person', addresses: [] }
  }
  /** What takes this node's word against `peerId` back in each mesh; of its own mesh: everybody's. Throws forbidden where others' words hold. */
  async function signedLiftings(peerId: PeerId): Promise<MeshBan[]> {
    const liftings: MeshBan[] = []
    const chain = grants.chainOf(peerId) ?? []
    for (const root of [self, ...content.roots]) {
      if (!grants.isBannedIn(root, peerId)) continue
      const last = grants.lastBan(root, peerId, self)
      if (root !== self && (!last || last.lifted)) {
        throw new AppError('forbidden', `${peerId} is banned in the mesh by another than this node`, {
          hint: `there it is lifted by who banned it, or by the root ${root}; at this node alone: qmtcode peers admit ${peerId}`,
        })
      }
      const at = Math.max(clock.now(), ...grants.bansOn(root, peerId).map((ban) => ban.at + 1))
      liftings.push(await signBan({ root, peer: peerId, by: self, at, lifted: true }, chain, key))
    }
    if (liftings.length === 0 && trust.standing(peerId).state !== 'banned') throw new AppError('not_found', `${peerId} is not banned here`)
    return liftings
  }
  async function signedBan(peerId: PeerId): Promise<MeshBan> {
    if (content.roots.includes(peerId)) throw new AppError('forbidden', `${peerId} is the root of a mesh: nobody bans it there`)
    const chain = grants.chainOf(peerId)
    const above = chain ? readChain(chain) : []
    const root = above.some(({ by }) => by === self) ? above[0]?.root : self
    if (chain && root === self && above[0]?.root !== self) {
      throw new AppError('forbidden', `this node is no ancestor of the grant of ${peerId}: its ban would not count`, {
        hint: `ban it here: qmtcode peers ban ${peerId}; in the mesh: on one of ${above.map(({ by }) => by).join(', ')}`,
      })
    }
    const mesh = root ?? self
    const at = Math.max(clock.now(), ...grants.bansOn(mesh, peerId).map((ban) => ban.at + 1)) // above what it lifts, or was lifted by
    return await signBan({ root: mesh, peer: peerId, by: self, at }, chain ?? [], key)
  }
}

function parseInit(init: InviteInit): ReturnType<typeof inviteInitSchema.parse> {
  const parsed = inviteInitSchema.safeParse(init)
  const [issue] = parsed.error?.issues ?? []
  if (!parsed.success)
    throw new AppError('bad_request', `an invite with a wrong ${issue?.path.join('.') ?? 'form'}: ${issue?.message ?? ''}`)
  const { name, uses } = parsed.data
  if (name !== undefined && !nodeNameSchema.safeParse(name).success)
    throw new AppError('bad_request', `${JSON.stringify(name)} is no node name`)
  if (name !== undefined && uses > 1) throw new AppError('bad_request', "an invite of several uses has no name: a name is one peer's")
  return parsed.data
}

/** Addresses that another machine may dial; those of this machine alone only where there are no others. Throws bad_request for none. */
function invitable(addresses: readonly string[]): string[] {
  const plain = [...new Set(addresses.map((address) => address.replace(/\/p2p\/[^/]+$/, '')))]
  const outside = plain.filter((address) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address))
  const chosen = (outside.length > 0 ? outside : plain).slice(0, MAX_INVITE_ADDRESSES)
  if (chosen.length > 0) return chosen
  throw new AppError('bad_request', 'this node listens nowhere: nobody could come to redeem an invite', {
    hint: 'set listen in [mesh], or --mesh-listen',
  })
}
