import { z } from 'zod'
import { defineContract, unary } from './contract.ts'
import { peerIdSchema } from './ids.ts'
import { LIMITS } from './limits.ts'
import { roleSchema, trustStateSchema } from './peers.ts'
import { statedAddress, statedAmount, statedCount, statedDifferenceMs, statedLine, statedMs, statedName, statedReason } from './stated.ts'

const names = z.array(statedName()).max(LIMITS.listItems)

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
  address: statedAddress(),
  source: addressSourceSchema,
  outcome: dialOutcomeSchema,
  protocol: z.enum(['tcp', 'udp']),
  port: z.int().min(0).max(65_535).optional(),
  /** Of a private range, which reaches as far as its own network. */
  isPrivate: z.boolean(),
  /** On a network that this machine has an address in. */
  isNear: z.boolean(),
  ms: statedMs(),
  /** Who answered. */
  peerId: peerIdSchema.optional(),
  /** What answered, of another peer: its name and version, if it is a qmtcode. */
  answeredAs: statedName().optional(),
  detail: statedReason().optional(),
})
export interface DialReport extends z.infer<typeof dialReportSchema> {}

const failureSchema = z.object({ code: statedName(40), message: statedReason(), hint: statedReason().optional() })

const selfDiagnosisSchema = z.object({
  peerId: peerIdSchema,
  name: statedName(),
  version: statedName(),
  listenAddresses: z.array(statedAddress()).max(LIMITS.listItems),
  /** The default address was taken at the start. */
  moved: z.object({ from: statedAddress(), to: statedAddress() }).optional(),
  trust: z.enum(['known', 'open']),
  /** Names of configured peers. */
  configured: z.array(statedName()).max(LIMITS.listItems),
  connectedPeers: statedCount(),
  /** Ways of discovery that are on. */
  discovery: z.array(statedName()).max(LIMITS.listItems),
  problems: z.array(statedReason()).max(LIMITS.listItems),
  /** Of mDNS. `own`: our own question came back to us. `others`: addresses that others' packets came from. */
  multicast: z.object({ own: z.boolean(), others: statedCount() }).optional(),
  /** Nodes that discovery sees and nobody knows here. */
  nearby: z.array(peerIdSchema).max(LIMITS.listItems),
  /** Addresses of this machine with their networks, as 10.1.2.3/24. */
  networks: z.array(statedAddress()).max(LIMITS.listItems),
})
export interface SelfDiagnosis extends z.infer<typeof selfDiagnosisSchema> {}

const helloReportSchema = z.object({
  name: statedName(),
  version: statedName(),
  /** What this node is there. */
  state: trustStateSchema,
  role: roleSchema.optional(),
  services: z.array(statedName()).max(LIMITS.listItems),
  /** Its clock minus ours, give or take half of the round trip. Absent: it does not tell. */
  clockAheadMs: statedDifferenceMs().optional(),
})

const peerDiagnosisSchema = z.object({
  target: statedLine(500),
  /** Why `target` means no peer, or more than one. Nothing else is known then. */
  unresolved: failureSchema.optional(),
  name: statedName(),
  /** Expected, or the one that answered where none was. */
  peerId: peerIdSchema.optional(),
  /** How `target` was read. */
  meaning: z.enum(['configured', 'known', 'address']),
  /** Where the peer stands here. */
  here: z.object({ trust: trustStateSchema, role: roleSchema.optional(), use: z.boolean() }).optional(),
  names: z
    .array(z.object({ name: statedName(), addresses: z.array(statedAddress()).max(LIMITS.listItems), problem: statedReason().optional() }))
    .max(LIMITS.listItems),
  dials: z.array(dialReportSchema).max(LIMITS.listItems),
  link: z.object({
    state: z.enum(['none', 'greeted', 'up', 'suspect']),
    relayed: z.boolean(),
    relayedBecause: statedReason().optional(),
    punched: z.boolean().optional(),
    address: statedAddress().optional(),
  }),
  hello: helloReportSchema.optional(),
  /** Why the handshake failed, although somebody answered. */
  greeting: failureSchema.optional(),
  pings: z.object({ sent: statedCount(), roundTripsMs: z.array(statedMs()).max(LIMITS.listItems) }).optional(),
  bandwidth: z
    .object({ downBytesPerSec: statedAmount().optional(), upBytesPerSec: statedAmount().optional(), problem: statedReason().optional() })
    .optional(),
  record: z.object({ models: names, agents: names, sessions: statedCount(), version: statedName() }).optional(),
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
  peer: unary(z.object({ target: statedLine(500).min(1), brief: z.boolean().optional() }), peerDiagnosisSchema),
})
