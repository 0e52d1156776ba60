import { roleIncludes } from './peers.ts'
import type { Role } from './peers.ts'
import type { Right } from './rights.ts'

/** What a method asks of its caller on the one session it is about. `owner`: its creator. `row`: who may know that it exists. `reply`: who may prompt or approve. */
export type SessionNeed = Right | 'owner' | 'row' | 'reply'

export interface MethodAccess {
  /** The least role that may call it. */
  role: Role
  /** Under `trust = "open"`: unknown peers, too. */
  open?: boolean
  /** Beside the role; judged where the session is. */
  right?: SessionNeed
}

/**
 * Who may call what of a node over the mesh: every service, every method. A service or method that is not here is not served.
 * What is refused by role is refused before its handler runs.
 */
export const ACCESS = {
  /** The one service that waits for nothing: any other waits until both sides have told their bans. */
  bans: { known: { role: 'observer' }, follow: { role: 'observer' } },
  directory: { follow: { role: 'observer', open: true } },
  probe: { receive: { role: 'observer' }, send: { role: 'observer' } },
  /** Ways through NATs. `stun` answers only at a node with `serve = true` in `[mesh.nat]`. */
  punch: { stun: { role: 'observer' }, meet: { role: 'observer' } },
  sessions: {
    list: { role: 'observer' },
    get: { role: 'observer', right: 'row' },
    history: { role: 'observer', right: 'observe' },
    follow: { role: 'observer', right: 'observe' },
    presence: { role: 'observer', right: 'observe' },
    listFiles: { role: 'observer', right: 'prompt' },
    readFile: { role: 'observer', right: 'prompt' },
    prompt: { role: 'observer', right: 'prompt' },
    /** To a permission request; to a question of the model it is `reply`. */
    answer: { role: 'observer', right: 'approve' },
    cancel: { role: 'observer', right: 'control' },
    resume: { role: 'observer', right: 'control' },
    configure: { role: 'observer', right: 'control' },
    close: { role: 'observer', right: 'control' },
    share: { role: 'observer', right: 'owner' },
    unshare: { role: 'observer', right: 'owner' },
    delete: { role: 'observer', right: 'owner' },
    create: { role: 'client' },
    agentModels: { role: 'client' },
    fork: { role: 'client', right: 'observe' },
  },
  models: {
    offers: { role: 'client', open: true },
    stream: { role: 'client', open: true },
    resume: { role: 'client', open: true },
    leave: { role: 'client', open: true },
  },
  gossip: {
    summary: { role: 'member' },
    buckets: { role: 'member' },
    digest: { role: 'member' },
    fetch: { role: 'member' },
    push: { role: 'member' },
  },
} as const satisfies Record<string, Record<string, MethodAccess>>

/** Protocols that are no service of methods, and who may open them. */
export const PLAIN_ACCESS = {
  '/ipfs/id/1.0.0': 'unknown',
  '/ipfs/ping/1.0.0': 'unknown',
  '/qmt/handshake/1': 'unknown',
  /** Only with `discovery = "kademlia"`. */
  '/qmt/kad/1.0.0': 'observer',
  /** A relay brings somebody; not with `relay = "none"` in `[mesh.nat]`. With `serve = true` also its other half, `…/hop`. */
  '/libp2p/circuit/relay/0.2.0/stop': 'observer',
} as const satisfies Record<string, Role | 'unknown'>

/** What `caller` is here: its role, if it has one, and whether it is unknown and let in by `trust = "open"`. */
export interface CallerStanding {
  role?: Role
  open: boolean
}

export const mayCall = ({ role, open }: CallerStanding, access: MethodAccess): boolean =>
  roleIncludes(role, access.role) || (open && access.open === true)

/** The methods of a service, by the table. Undefined: it is not served. */
export const accessOf = (service: string): Readonly<Record<string, MethodAccess>> | undefined =>
  Object.hasOwn(ACCESS, service) ? ACCESS[service as keyof typeof ACCESS] : undefined
