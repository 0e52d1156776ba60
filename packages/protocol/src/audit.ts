import { z } from 'zod'
import { peerIdSchema } from './ids.ts'
import { statedCount, statedCounter, statedInstant, statedMs } from './stated.ts'

/** What is kept of what peers do here, and this node over there. Never content: no prompts, answers, keys, secrets of invites. */
export const AUDIT_KINDS = ['call', 'refused', 'request', 'trust', 'invite'] as const

const text = z.string().max(300)

const auditEntrySchema = z.object({
  /**
   * `call`: a remote call that ended. `refused`: a connection, stream or handshake. `request`: an unknown peer asks to be admitted.
   * `trust`: whom this node trusts changed. `invite`: made, redeemed, refused, revoked, joined.
   */
  kind: z.enum(AUDIT_KINDS),
  /** `in`: they came to this node. `out`: this node went to them. Absent: nobody else took part. */
  direction: z.enum(['in', 'out']).optional(),
  /** `service.method`; what was refused; what changed. */
  what: text,
  /** The authenticated one; absent where nobody said who it is. */
  peerId: peerIdSchema.optional(),
  /** What the peer is called here; of a `request` what it calls itself. */
  name: text.optional(),
  address: text.optional(),
  /** The session, model, agent, peer or invite that it is about. */
  target: text.optional(),
  /** `ok`, or the code of the error. */
  outcome: text,
  reason: text.optional(),
  /** Of a trust change or an invite: `person`, or the mesh that a grant or ban came from. */
  by: text.optional(),
  /** Follows a call across hops. */
  trace: text.optional(),
  /** Milliseconds from the first frame of a call to its last. */
  ms: statedMs().optional(),
  bytesIn: statedCounter().optional(),
  bytesOut: statedCounter().optional(),
})
export interface AuditEntry extends z.infer<typeof auditEntrySchema> {}

/** A line of the file. */
export const auditLineSchema = auditEntrySchema.extend({
  /** Milliseconds since 1970. */
  at: statedInstant(),
  /** So many of the kind that came too often for a line each; the rest of the line is the last one's. */
  count: statedCount().optional(),
  /** Of `count`: the first of them. */
  since: statedInstant().optional(),
  /** Of `count`: how many peers or addresses. */
  sources: statedCount().optional(),
  /** The account of the person at this node. */
  user: text.optional(),
})
export interface AuditLine extends z.infer<typeof auditLineSchema> {}

/** Takes note and returns at once: nothing waits for a disk, nothing throws. */
export interface Audit {
  note(entry: AuditEntry): void
}

export const silentAudit: Audit = { note: () => {} }
