import { z } from 'zod'
import { defineContract, stream, unary } from './contract.ts'
import { peerIdSchema } from './ids.ts'
import type { PeerId } from './ids.ts'
import { LIMITS } from './limits.ts'
import { modelOfferSchema } from './models.ts'
import type { Models } from './models.ts'
import type { Sessions } from './sessions.ts'
import { statedAddress, statedCount, statedCounter, statedDate, statedInstant, statedMs, statedName, statedReason } from './stated.ts'

/** What an admitted peer may do here, each including the ones before. */
export const ROLES = ['observer', 'client', 'member', 'admin'] as const
export const roleSchema = z.enum(ROLES)
export type Role = z.infer<typeof roleSchema>

/** Whether `role` includes `needed`. */
export const roleIncludes = (role: Role | undefined, needed: Role): boolean =>
  role !== undefined && ROLES.indexOf(role) >= ROLES.indexOf(needed)

/** The one that is included in both. */
export const lesserRole = (a: Role, b: Role): Role => (roleIncludes(a, b) ? b : a)

const names = z.array(statedName()).max(LIMITS.listItems)
const addresses = z.array(statedAddress()).max(LIMITS.listItems)

export const trustStateSchema = z.enum(['unknown', 'admitted', 'banned'])
export type TrustState = z.infer<typeof trustStateSchema>

export const loadSchema = z.object({ inFlight: statedCount(), slots: statedCount(), queued: statedCount() })
export interface Load extends z.infer<typeof loadSchema> {}

/**
 * What lies between a node and those who see it: nothing that changes its address (a firewall may be there), a NAT that gives a port the
 * same number outside whomever it sends to (`independent`), or one that gives another number to each (`symmetric`). Unknown where nobody
 * said how it is seen.
 */
export const natKindSchema = z.enum(['none', 'independent', 'symmetric', 'unknown'])
export type NatKind = z.infer<typeof natKindSchema>

/** One node, as this node sees it. The JSON of `qmtcode nodes` and `qmtcode peers`. */
export const peerInfoSchema = z.object({
  name: statedName(),
  peerId: peerIdSchema,
  self: z.boolean(),
  state: z.enum(['connected', 'suspect', 'connecting', 'offline']),
  trust: trustStateSchema,
  /** Its role here, and ours there (as its handshake told). */
  role: roleSchema.optional(),
  roleThere: roleSchema.optional(),
  /** Whether prompts may leave this machine to it. */
  use: z.boolean(),
  /** All that links it leads over a relay. */
  relayed: z.boolean(),
  /** It is relayed because no direct way could be opened: why. */
  relayedBecause: statedReason().optional(),
  /** Calls go through a way that both sides opened through their NATs. */
  punched: z.boolean().optional(),
  /** Of the connection that calls go over: where this node dialled it, or where it came from. */
  address: statedAddress().optional(),
  addresses,
  rttMs: statedMs().optional(),
  bytesIn: statedCounter(),
  bytesOut: statedCounter(),
  labels: names,
  models: names,
  /** Those whose server did not answer when the peer last asked it. */
  modelsDown: names.optional(),
  agents: names,
  sessions: statedCount(),
  load: loadSchema,
  version: statedName().optional(),
  /** Its record has come: models, agents and sessions are what it says, not merely unknown. */
  hasRecord: z.boolean().optional(),
  /** Not linked here, but told of by other members: when last, and by which. */
  heard: z.object({ at: statedInstant(), via: peerIdSchema.optional() }).optional(),
  /** Why it is not connected, or not usable; the last failure. */
  problem: statedReason().optional(),
})
export interface PeerInfo extends z.infer<typeof peerInfoSchema> {}

export const meshStatusSchema = z.object({
  peerId: peerIdSchema,
  name: statedName(),
  version: statedName(),
  /** Real, dialable multiaddrs with `/p2p`; empty where nothing listens. */
  listenAddresses: addresses,
  connectedPeers: statedCount(),
  /** Configured peers that were never reached, so that no id is known of them. */
  unmet: z
    .array(z.object({ name: statedName(), address: statedAddress(), problem: statedReason().optional() }))
    .max(LIMITS.listItems)
    .optional(),
  /** What does not work here, for people: a way of discovery that finds nobody. */
  problems: z.array(statedReason()).max(LIMITS.listItems).optional(),
  /** How this node is reached from outside its network. */
  nat: z
    .object({
      announced: addresses,
      /** The router is asked for ports. */
      upnp: z.boolean().optional(),
      /** Ports that the router forwards on request. */
      mapped: addresses,
      relays: z
        .array(z.object({ peerId: peerIdSchema, name: statedName(), reserved: z.boolean(), problem: statedReason().optional() }))
        .max(LIMITS.listItems),
      /** What this node relays for others. */
      serves: z
        .object({
          reservations: statedCount(),
          circuits: statedCount(),
          /** UDP ports where peers ask how they are seen; empty: none could be had. */
          stun: z.array(z.int().min(0).max(65_535)).max(LIMITS.listItems).optional(),
        })
        .optional(),
      /** Ways through NATs are opened. */
      punch: z.boolean().optional(),
      /** How relays see this node over UDP. Undefined: none was asked yet, or none has an answer. */
      seen: z.object({ nat: natKindSchema, address: statedAddress().optional() }).optional(),
    })
    .optional(),
})
export interface MeshStatus extends z.infer<typeof meshStatusSchema> {}

export const meshEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('peer.connected'), at: statedInstant(), peerId: peerIdSchema, name: statedName(), address: statedAddress() }),
  z.object({ type: z.literal('peer.disconnected'), at: statedInstant(), peerId: peerIdSchema, name: statedName(), reason: statedReason() }),
  z.object({ type: z.literal('peer.suspect'), at: statedInstant(), peerId: peerIdSchema, name: statedName() }),
  /** Its record, its load, its trust or ours there changed. */
  z.object({ type: z.literal('peer.changed'), at: statedInstant(), peerId: peerIdSchema, name: statedName() }),
  /** An unknown peer asked to be admitted. */
  z.object({ type: z.literal('peer.knocked'), at: statedInstant(), peerId: peerIdSchema, name: statedName(), address: statedAddress() }),
  /** A dial that cannot succeed as things stand, with what to do. */
  z.object({
    type: z.literal('peer.refused'),
    at: statedInstant(),
    peerId: peerIdSchema.optional(),
    name: statedName(),
    reason: statedReason(),
    hint: statedReason().optional(),
  }),
])
export type MeshEvent = z.infer<typeof meshEventSchema>

/** A name as a user writes it, resolved: exactly one peer, or an error that says why not. */
export interface ResolvedPeer {
  peerId: PeerId
  name: string
  /** This node itself. */
  self: boolean
}

export interface Peers {
  status(): Promise<MeshStatus>
  /** This node first, then every known peer. */
  list(): Promise<PeerInfo[]>
  /** Configured name, pinned node name, peer id or a prefix of it. Throws not_found, ambiguous (naming both). */
  resolve(name: string): Promise<ResolvedPeer>
  sessions(peer: PeerId): Sessions
  models(peer: PeerId): Models
  follow(options?: { signal?: AbortSignal }): AsyncIterable<MeshEvent>
}

/** A peer that this node has an opinion on, or that knocked. */
export const knownPeerSchema = z.object({
  peerId: peerIdSchema,
  name: statedName().optional(),
  trust: trustStateSchema,
  role: roleSchema.optional(),
  use: z.boolean(),
  /** `config`: from `[[mesh.peers]]`, changed there. */
  source: z.enum(['config', 'person', 'pin', 'knock', 'grant']),
  addresses,
  /** Milliseconds since 1970. */
  firstSeen: statedInstant().optional(),
  lastSeen: statedInstant().optional(),
})
export interface KnownPeer extends z.infer<typeof knownPeerSchema> {}

/** Bounds of an invite, for whoever makes one. */
export const INVITE_LIMITS = { maxUses: 1_000, maxTtlMs: 30 * 86_400_000, minTtlMs: 1_000, labels: 8, labelChars: 32 } as const
const DEFAULT_TTL_MS = 86_400_000

export const inviteInitSchema = z.object({
  /** What the peer that joins is called here; for an invite of one use. */
  name: statedName(63).optional(),
  role: roleSchema.default('client'),
  ttlMs: z.int().min(INVITE_LIMITS.minTtlMs).max(INVITE_LIMITS.maxTtlMs).default(DEFAULT_TTL_MS),
  uses: z.int().min(1).max(INVITE_LIMITS.maxUses).default(1),
  /** Words to choose the peer by, told to every member. */
  labels: z.array(statedName(INVITE_LIMITS.labelChars).min(1)).max(INVITE_LIMITS.labels).default([]),
})
export type InviteInit = z.input<typeof inviteInitSchema>

/** An invite that this node keeps count of. Its secret is only in the URL, which is told once. */
const inviteInfoSchema = z.object({
  id: statedName(),
  name: statedName().optional(),
  role: roleSchema,
  labels: names,
  /** The mesh that it leads into, by its root. */
  root: peerIdSchema,
  uses: statedCount(),
  usesLeft: statedCount(),
  /** Who joined by it. */
  joined: z.array(peerIdSchema).max(LIMITS.listItems),
  /** Milliseconds since 1970. */
  createdAt: statedInstant(),
  expiresAt: statedDate(),
  state: z.enum(['open', 'used', 'expired', 'revoked']),
})
export interface InviteInfo extends z.infer<typeof inviteInfoSchema> {}
const newInviteSchema = inviteInfoSchema.extend({ url: z.string().max(8_192) })
export interface NewInvite extends z.infer<typeof newInviteSchema> {}

const joinedSchema = z.object({
  /** The mesh, by its root's id. */
  root: peerIdSchema,
  inviter: peerIdSchema,
  /** What the inviter is called here. */
  name: statedName(),
  /** This node's, in that mesh. */
  role: roleSchema,
  /** When the grant ends, unless an admin of its chain renews it. */
  expiresAt: statedDate(),
  use: z.boolean(),
})
export interface Joined extends z.infer<typeof joinedSchema> {}

const inviteTermsSchema = z.object({
  /** The mesh that it leads into, by its root. */
  root: peerIdSchema,
  inviter: peerIdSchema,
  /** What this node becomes there. */
  role: roleSchema,
  expiresAt: statedDate(),
})
export interface InviteTerms extends z.infer<typeof inviteTermsSchema> {}

export interface JoinOptions {
  /** What to call the inviter here. */
  name?: string
  /** Whether prompts may go to the inviter. Default: true. */
  use?: boolean
  /** Redeems nothing where this node is a member of that mesh already. */
  unlessMember?: boolean
  signal?: AbortSignal
}

/** Who may do what, both ways. Peers here are whole peer ids: prefixes and names are for people, trust is for keys. */
export interface Trust {
  list(): Promise<KnownPeer[]>
  admit(peerId: PeerId, options?: { role?: Role; name?: string }): Promise<KnownPeer>
  setRole(peerId: PeerId, role: Role): Promise<KnownPeer>
  /** Whether prompts may leave this machine to it. */
  use(peerId: PeerId, use: boolean): Promise<KnownPeer>
  /**
   * Cuts what is live within 1 s. `mesh`: signed and told to every member, whose own decisions it does not touch; throws forbidden
   * where this node is neither the root of a mesh nor an ancestor of the peer's grant.
   */
  ban(peerId: PeerId, options?: { mesh?: boolean }): Promise<KnownPeer>
  /**
   * Takes a ban back: this node's, and in its meshes what it signed itself; as their root, everybody's. Throws not_found where it is not
   * banned, forbidden where another's word in the mesh holds. It never gives a peer more than was said of it before the ban.
   */
  unban(peerId: PeerId): Promise<KnownPeer>
  /** Removes every decision and pin: the peer is unknown again. */
  forget(peerId: PeerId): Promise<void>
  /** A new invite into the mesh of which this node is an admin, else into its own. Throws bad_request for an address or value that cannot be. */
  invite(init?: InviteInit): Promise<NewInvite>
  /** The newest first; those that ended stay for a day. */
  invites(): Promise<InviteInfo[]>
  /** Nobody joins by it any more; who did stays. Throws not_found. */
  revoke(inviteId: string): Promise<InviteInfo>
  /** What an invite says, as its inviter signed it; nothing is dialled, and nothing changes. Throws bad_request (altered, cut off, none). */
  readInvite(text: string): Promise<InviteTerms>
  /**
   * Redeems an invite at its inviter; `text` may have it in pieces. Throws bad_request (altered, malformed), conflict (used up, another key answers),
   * forbidden (expired, revoked), not_found (not known there), peer_unreachable.
   */
  join(text: string, options?: JoinOptions): Promise<Joined>
}

const one = z.object({ peerId: peerIdSchema })

export const peersContract = defineContract('peers', 1, {
  status: unary(z.object({}), meshStatusSchema),
  list: unary(z.object({}), z.array(peerInfoSchema).max(LIMITS.peersListed)),
  resolve: unary(z.object({ name: z.string().max(200) }), z.object({ peerId: peerIdSchema, name: statedName(), self: z.boolean() })),
  follow: stream(z.object({}), meshEventSchema),
  offers: unary(one, z.array(modelOfferSchema).max(LIMITS.listItems)),
})

const MAX_INVITE_TEXT = 65_536

const joinInputSchema = z.object({
  url: z.string().max(MAX_INVITE_TEXT),
  name: statedName(63).optional(),
  use: z.boolean().optional(),
  unlessMember: z.boolean().optional(),
})

export const trustContract = defineContract('trust', 1, {
  list: unary(z.object({}), z.array(knownPeerSchema).max(LIMITS.peersListed)),
  admit: unary(one.extend({ role: roleSchema.optional(), name: statedName(63).optional() }), knownPeerSchema),
  setRole: unary(one.extend({ role: roleSchema }), knownPeerSchema),
  use: unary(one.extend({ use: z.boolean() }), knownPeerSchema),
  ban: unary(one.extend({ mesh: z.boolean().optional() }), knownPeerSchema),
  unban: unary(one, knownPeerSchema),
  forget: unary(one, z.object({})),
  invite: unary(inviteInitSchema, newInviteSchema),
  invites: unary(z.object({}), z.array(inviteInfoSchema).max(LIMITS.listItems)),
  revoke: unary(z.object({ inviteId: z.string().max(80) }), inviteInfoSchema),
  readInvite: unary(z.object({ text: z.string().max(MAX_INVITE_TEXT) }), inviteTermsSchema),
  join: unary(joinInputSchema, joinedSchema),
})
