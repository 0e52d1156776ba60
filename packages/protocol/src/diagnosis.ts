import { z } from 'zod'
import { defineContract, unary } from './contract.ts'
import { peerIdSchema } from './ids.ts'
import { roleSchema, trustStateSchema } from './peers.ts'

/** Who told of an address: the configuration, the command, the peer's own record, discovery, or an earlier connection. */
const addressSourceSchema = z.enum(['configured', 'given', 'record', 'discovery', 'earlier'])

/**
 * How a dial ended. `answered`: by the peer that was meant (or by anybody, where no id was expected). `refused`: at once, by the machine or a
 * firewall. `silent`: nothing came back. `no_route`: this machine knows no way. `closed`: accepted, and ended before it said who it is.
 * `foreign`: something else than libp2p; `detail` says what. `other_peer`: another peer id. `not_tried`: `detail` says why.
 */
const dialOutcomeSchema = z.enum([
  'answered',
  'refused',
  'silent',
  'no_route',
  'closed',
  'foreign',
  'other_peer',
  'self',
  'banned',
  'not_tried',
  'failed',
])
export type DialOutcome = z.infer<typeof dialOutcomeSchema>

const dialReportSchema = z.object({
  address: z.string(),
  source: addressSourceSchema,
  outcome: dialOutcomeSchema,
  protocol: z.enum(['tcp', 'udp']),
  port: z.number().optional(),
  /** Of a private range, which reaches as far as its own network. */
  isPrivate: z.boolean(),
  /** On a network that this machine has an address in. */
  isNear: z.boolean(),
  ms: z.number(),
  /** Who answered. */
  peerId: peerIdSchema.optional(),
  /** What answered, of another peer: its name and version, if it is a qmtcode. */
  answeredAs: z.string().optional(),
  detail: z.string().optional(),
})
export interface DialReport extends z.infer<typeof dialReportSchema> {}

const failureSchema = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() })

const selfDiagnosisSchema = z.object({
  peerId: peerIdSchema,
  name: z.string(),
  version: z.string(),
  listenAddresses: z.array(z.string()),
  /** The default address was taken at the start. */
  moved: z.object({ from: z.string(), to: z.string() }).optional(),
  trust: z.enum(['known', 'open']),
  /** Names of configured peers. */
  configured: z.array(z.string()),
  connectedPeers: z.number(),
  /** Ways of discovery that are on. */
  discovery: z.array(z.string()),
  problems: z.array(z.string()),
  /** Of mDNS. `own`: our own question came back to us. `others`: addresses that others' packets came from. */
  multicast: z.object({ own: z.boolean(), others: z.number() }).optional(),
  /** Nodes that discovery sees and nobody knows here. */
  nearby: z.array(peerIdSchema),
  /** Addresses of this machine with their networks, as 10.1.2.3/24. */
  networks: z.array(z.string()),
})
export interface SelfDiagnosis extends z.infer<typeof selfDiagnosisSchema> {}

const helloReportSchema = z.object({
  name: z.string(),
  version: z.string(),
  /** What this node is there. */
  state: trustStateSchema,
  role: roleSchema.optional(),
  services: z.array(z.string()),
  /** Its clock minus ours, give or take half of the round trip. Absent: it does not tell. */
  clockAheadMs: z.number().optional(),
})

const peerDiagnosisSchema = z.object({
  target: z.string(),
  /** Why `target` means no peer, or more than one. Nothing else is known then. */
  unresolved: failureSchema.optional(),
  name: z.string(),
  /** Expected, or the one that answered where none was. */
  peerId: peerIdSchema.optional(),
  /** How `target` was read. */
  meaning: z.enum(['configured', 'known', 'address']),
  /** Where the peer stands here. */
  here: z.object({ trust: trustStateSchema, role: roleSchema.optional(), use: z.boolean() }).optional(),
  names: z.array(z.object({ name: z.string(), addresses: z.array(z.string()), problem: z.string().optional() })),
  dials: z.array(dialReportSchema),
  link: z.object({
    state: z.enum(['none', 'greeted', 'up', 'suspect']),
    relayed: z.boolean(),
    relayedBecause: z.string().optional(),
    punched: z.boolean().optional(),
    address: z.string().optional(),
  }),
  hello: helloReportSchema.optional(),
  /** Why the handshake failed, although somebody answered. */
  greeting: failureSchema.optional(),
  pings: z.object({ sent: z.number(), roundTripsMs: z.array(z.number()) }).optional(),
  bandwidth: z
    .object({ downBytesPerSec: z.number().optional(), upBytesPerSec: z.number().optional(), problem: z.string().optional() })
    .optional(),
  record: z.object({ models: z.array(z.string()), agents: z.array(z.string()), sessions: z.number(), version: z.string() }).optional(),
  /** Discovery told of it in the last two minutes. */
  isFound: z.boolean(),
})
export interface PeerDiagnosis extends z.infer<typeof peerDiagnosisSchema> {}

export interface DiagnosisOptions {
  /** Without round trips and bandwidth. */
  brief?: boolean
  signal?: AbortSignal
}

/** Looks closely at this node and at peers: it dials, greets and measures, within half a minute. Facts only; what they mean is the asker's. */
export interface Diagnosis {
  self(): Promise<SelfDiagnosis>
  /** `target`: a name or an id as `Peers.resolve` takes it, or a multiaddr. Throws bad_config for an address that cannot be dialled. */
  peer(target: string, options?: DiagnosisOptions): Promise<PeerDiagnosis>
}

export const diagnosisContract = defineContract('diagnosis', 1, {
  self: unary(z.object({}), selfDiagnosisSchema),
  peer: unary(z.object({ target: z.string().min(1).max(500), brief: z.boolean().optional() }), peerDiagnosisSchema),
})
