import { AppError, lesserRole, nodeNameSchema, roleSchema } from '@qmtcode/protocol'
import type { Clock, KnownPeer, PeerId, Role, Trust } from '@qmtcode/protocol'
import { peerIdFromString } from '@libp2p/peer-id'
import type { ConfiguredPeer } from '../node-types.ts'
import { createAliases } from './aliases.ts'
import { createGrantBook } from './grant-book.ts'
import type { GrantBook } from './grant-book.ts'
import type { PersonalWord } from './judge.ts'
import type { KnownPeerEntry, KnownPeersFile } from './known-peers-file.ts'
import { createKnocks } from './knocks.ts'
import type { Knock } from './knocks.ts'
import type { MeshBan } from './mesh-ban.ts'
import { createPins } from './pins.ts'
import type { Pins } from './pins.ts'
import { createStandingWatch } from './standing-watch.ts'
import { shortId, standingOf } from './standing.ts'
import type { Standing } from './standing.ts'

/** Everything this node holds of others: decisions, pins, grants, knocks. The only writer of `known_peers.json`. */
export interface TrustBook extends Omit<Trust, 'invite' | 'invites' | 'revoke' | 'readInvite' | 'join' | 'unban'> {
  readonly pins: Pins
  /** Changed within `update` only. */
  readonly grants: GrantBook
  /** Changes what standings are made of; tells whose changed, and resolves when it is on disk. `about`: only that peer, and those that came in by it. */
  update<Value>(change: () => Value, about?: PeerId): Promise<Value>
  /** Forgets this node's own ban of a peer, and keeps what lifts those of its meshes. */
  lift(peerId: PeerId, liftings: readonly MeshBan[]): Promise<void>
  /** Tells whose standing changed by time alone since the last call. */
  review(): void
  /** Keeps addresses and, where it is free, a name for a peer that a mesh brought. Within `update`. */
  introduce(peerId: PeerId, about: { name?: string; addresses?: string[]; use?: boolean }): void
  /** A peer has a new id: its decisions and pins are the new one's, the old one is banned. False: nothing is known of the old one, or it has moved already. */
  move(before: PeerId, after: PeerId, at: number): Promise<boolean>
  standing(peerId: PeerId): Standing
  /** What this node's person says of a peer; signed words are not looked at. */
  personal(peerId: PeerId): PersonalWord
  /** Configured name, else the one a person gave, else the advertised and pinned one, else the short id. */
  nameOf(peerId: PeerId): string
  /** Ids with a decision, a pin or a place in the configuration. */
  known(): PeerId[]
  addressesOf(peerId: PeerId): string[]
  /** Notes contact of an admitted peer; written with the next decision, or at `flush`. */
  seen(peerId: PeerId, addresses: string[]): void
  /** See `Knocks.add`. */
  knock(knock: Knock): boolean
  /** Pins a configured peer's id durably before anything is sent to it. See `Pins.pinConfigured`. */
  pinConfigured(peer: ConfiguredPeer, answered: PeerId): Promise<void>
  pinName(peerId: PeerId, name: string): Promise<boolean>
  /** Called after each change of a peer's standing, synchronously. */
  onChange(listener: (peerId: PeerId, change: { before: Standing; after: Standing; forgotten: boolean }) => void): void
  flush(): Promise<void>
}

export interface TrustBookOptions {
  self: PeerId
  /** This node's: nobody else's. */
  name?: string
  configured: readonly ConfiguredPeer[]
  open: boolean
}

const MAX_ADDRESSES = 16

export function createTrustBook(components: { clock: Clock; file: KnownPeersFile }, options: TrustBookOptions): TrustBook {
  const { clock, file } = components
  const { content } = file
  const pins = createPins(content, options)
  const aliases = createAliases(content, options)
  const personal = (peerId: PeerId): PersonalWord => {
    const entry = entryOf(peerId)
    return {
      isBanned: entry?.trust === 'banned' && entry.movedTo === undefined,
      atMost: pins.configuredAs(peerId)?.role ?? entry?.role ?? entry?.atMost,
    }
  }
  const grants = createGrantBook({ clock, content, aliases, personal }, options)
  const knocks = createKnocks({ clock })
  const listeners: Parameters<TrustBook['onChange']>[0][] = []
  let dirty = false

  const entryOf = (peerId: PeerId): KnownPeerEntry | undefined => content.peers[peerId]
  const standing = (peerId: PeerId): Standing =>
    standingOf(entryOf(peerId), pins.configuredAs(peerId), {
      grant: grants.grantOf(peerId),
      isBanned: grants.isBanned(peerId),
      open: options.open,
    })
  const known = (): PeerId[] => [
    ...new Set([
      ...options.configured.flatMap((peer) => pins.idOf(peer) ?? []),
      ...(Object.keys(content.peers) as PeerId[]),
      ...Object.values(content.names),
      ...grants.peers(),
    ]),
  ]
  const nameOf = (peerId: PeerId): string =>
    pins.configuredAs(peerId)?.name ?? entryOf(peerId)?.name ?? pins.advertisedName(peerId) ?? shortId(peerId)

  /** One decision: changed in memory, told, and resolved when on disk. */
  async function decide(peerId: PeerId, change: () => void, forgotten = false): Promise<KnownPeer> {
    requireOther(peerId, options.self)
    watch.during(change, { about: peerId, forgotten })
    await save()
    return describe(peerId)
  }
  async function save(): Promise<void> {
    dirty = false
    await file.save()
  }
  const edit = (peerId: PeerId, fields: Partial<KnownPeerEntry>): void => {
    content.peers[peerId] = { firstSeen: clock.now(), addresses: [], ...entryOf(peerId), ...fields }
  }
  const describe = (peerId: PeerId): KnownPeer => {
    const { state, role, use } = standing(peerId)
    const entry = entryOf(peerId)
    const configured = pins.configuredAs(peerId)
    const source = configured ? (configuredById(configured, peerId) ? 'config' : 'pin') : entry?.trust ? 'person' : sourceOf(peerId)
    const addresses = [...new Set([...(configured?.addr ? [configured.addr] : []), ...(entry?.addresses ?? [])])]
    return {
      peerId,
      name: nameOf(peerId),
      trust: state,
      role,
      use,
      source,
      addresses,
      firstSeen: entry?.firstSeen,
      lastSeen: entry?.lastSeen,
    }
  }
  const sourceOf = (peerId: PeerId): KnownPeer['source'] => (grants.peers().includes(peerId) ? 'grant' : 'person')
  const configuredById = (peer: ConfiguredPeer, peerId: PeerId): boolean =>
    !Object.hasOwn(content.pins, peer.name) || content.pins[peer.name] !== peerId

  const watch = createStandingWatch({
    standing,
    nobody: standingOf(undefined, undefined, { isBanned: false, open: options.open }),
    known,
    concerns: grants.concerns,
    tell(peerId, change) {
      if (change.after.state !== 'unknown') knocks.remove(peerId)
      for (const listener of listeners) listener(peerId, change)
    },
  })

  return {
    pins,
    grants,
    async update(change, about) {
      const value = watch.during(change, { about })
      await save()
      return value
    },
    review: watch.review,
    async lift(peerId, liftings) {
      requireOther(peerId, options.self)
      if (entryOf(peerId)?.movedTo !== undefined) throw new AppError('forbidden', `${peerId} is the old id of ${nameOf(peerId)}`)
      const forget = (): void => {
        for (const lifting of liftings) grants.addBan(lifting)
        const entry = entryOf(peerId)
        if (entry?.trust === 'banned') content.peers[peerId] = withoutBan(entry)
      }
      watch.during(forget, { about: peerId })
      await save()
    },
    introduce(peerId, { name, addresses = [], use }) {
      const isFree = name !== undefined && entryOf(peerId)?.name === undefined && !pins.isTaken(name, peerId)
      const merged = [...new Set([...addresses, ...(entryOf(peerId)?.addresses ?? [])])].slice(0, MAX_ADDRESSES)
      edit(peerId, { addresses: merged, ...(isFree && { name }), ...(use !== undefined && { use }) })
    },
    async move(old, now, at) {
      if (old === options.self || now === options.self || !known().includes(old)) return false
      const entry = entryOf(old)
      if (entry?.movedTo !== undefined || entryOf(now)?.movedTo !== undefined) return false
      watch.during(() => {
        if (entry) content.peers[now] = { ...entry, ...content.peers[now] }
        pins.move(old, now)
        if (grants.isPinned(old)) grants.pinRoot(now)
        content.peers[old] = { addresses: [], trust: 'banned', movedTo: now, movedAt: at }
        aliases.moved(old, now)
        grants.move(old, now)
      })
      await save()
      return true
    },
    standing,
    personal,
    nameOf,
    known,
    addressesOf: (peerId) => entryOf(peerId)?.addresses ?? [],
    knock: (knock) => knocks.add(knock),
    onChange: (listener) => listeners.push(listener),
    seen(peerId, addresses) {
      if (standing(peerId).state !== 'admitted') return
      const merged = [...new Set([...addresses, ...(entryOf(peerId)?.addresses ?? [])])].slice(0, MAX_ADDRESSES)
      edit(peerId, { lastSeen: clock.now(), addresses: merged })
      dirty = true
    },
    async pinConfigured(peer, answered) {
      if (answered === options.self) throw new AppError('bad_config', `peer ${peer.name} at ${peer.addr ?? '?'} is this node itself`)
      if (!watch.during(() => pins.pinConfigured(peer, answered), { about: answered })) return
      await save()
    },
    async pinName(peerId, name) {
      const pinned = pins.pinName(peerId, name)
      if (pinned === 'new') await save()
      return pinned !== 'taken'
    },
    async flush() {
      if (dirty) await save()
    },
    list() {
      const ids = new Set(known())
      return Promise.resolve([...[...ids].map(describe), ...knocks.list().filter((knock) => !ids.has(knock.peerId))])
    },
    async admit(peerId, { role, name } = {}) {
      const wanted = role ?? (standing(peerId).state === 'admitted' ? standing(peerId).role : usualRole(entryOf(peerId))) ?? 'client'
      requireFree(pins.configuredAs(peerId), 'role', wanted)
      const given = name === undefined ? undefined : requireFreeName(pins, parseName(name), peerId)
      return decide(peerId, () =>
        edit(peerId, { trust: 'admitted', role: wanted, atMost: undefined, ...(given === undefined ? {} : { name: given }) }),
      )
    },
    async setRole(peerId, role) {
      requireFree(pins.configuredAs(peerId), 'role', roleSchema.parse(role))
      if (standing(peerId).state !== 'admitted') {
        throw new AppError('not_found', `${peerId} is not admitted`, { hint: `qmtcode peers admit ${peerId} --role ${role}` })
      }
      return decide(peerId, () => edit(peerId, { role, atMost: undefined }))
    },
    async use(peerId, use) {
      if (use) requireFree(pins.configuredAs(peerId), 'use', true)
      return decide(peerId, () => edit(peerId, { use }))
    },
    ban: (peerId) => decide(peerId, () => edit(peerId, { trust: 'banned' })),
    async forget(peerId) {
      await decide(
        peerId,
        () => {
          delete content.peers[peerId]
          grants.drop(peerId)
          pins.forget(peerId)
          knocks.remove(peerId)
        },
        true,
      )
    },
  }
}

/** What a person says of a peer by banning it is taken back; what was said before stays as a bound, since a grant may give more. */
function withoutBan({ trust: _trust, role, atMost, ...rest }: KnownPeerEntry): KnownPeerEntry {
  const said = role ?? atMost
  return said === undefined ? rest : { ...rest, atMost: said }
}

/** What an admission gives that names no role: never more than was said of the peer before. */
const usualRole = (entry: KnownPeerEntry | undefined): Role => lesserRole('client', entry?.role ?? entry?.atMost ?? 'client')

function requireOther(peerId: PeerId, self: PeerId): void {
  try {
    peerIdFromString(peerId)
  } catch (cause) {
    throw new AppError('bad_request', `${peerId} is no peer id`, { cause, hint: 'trust is for whole peer ids: qmtcode peers list' })
  }
  if (peerId === self) throw new AppError('bad_request', `${peerId} is this node itself`)
}

/** What the configuration says outright is changed there, so that the two never disagree. */
function requireFree(peer: ConfiguredPeer | undefined, key: 'role' | 'use', wanted: Role | boolean): void {
  const written = peer?.[key]
  if (!peer || written === undefined || written === wanted) return
  throw new AppError('conflict', `${peer.name} has ${key} = ${JSON.stringify(written)} in the configuration`, {
    hint: `change ${key} of ${peer.name} in [[mesh.peers]]`,
  })
}

/** A name is one peer's: prompts go where it says. */
function requireFreeName(pins: Pins, name: string, peerId: PeerId): string {
  if (!pins.isTaken(name, peerId)) return name
  throw new AppError('conflict', `${name} is the name of another peer`, {
    hint: 'give it another name; qmtcode peers list shows who has which',
  })
}

function parseName(name: string): string {
  const parsed = nodeNameSchema.safeParse(name)
  if (parsed.success) return parsed.data
  throw new AppError('bad_request', `${JSON.stringify(name)} is no node name: ${parsed.error.issues[0]?.message ?? ''}`)
}
