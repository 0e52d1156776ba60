import type { AuditEntry, PeerId } from '@qmtcode/protocol'
import type { EndedCall } from '../rpc/types.ts'

/** Fields of inputs that say what a call is about. Their values are ids, and nothing else of an input is noted. */
const TARGETS = ['id', 'model', 'agent', 'sessionId', 'callId'] as const
/** What ids are made of; anything else may be text. */
const ID = /^[\w.:/@-]{1,100}$/

/** A call that ended, as the audit keeps it. */
export function callEntry(call: EndedCall, about: { direction: 'in' | 'out'; peerId: PeerId; name: string }): AuditEntry {
  const { service, method, input, trace, outcome, ms, bytesIn, bytesOut } = call
  return {
    kind: 'call',
    what: `${service}.${method ?? '?'}`,
    ...about,
    target: targetOf(input),
    outcome,
    trace: trace !== undefined && ID.test(trace) ? trace : undefined,
    ms: Math.round(ms * 10) / 10,
    bytesIn,
    bytesOut,
  }
}

function targetOf(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined
  const fields = input as Record<string, unknown>
  const named = TARGETS.map((field) => (Object.hasOwn(fields, field) ? fields[field] : undefined))
  return named.find((value): value is string => typeof value === 'string' && ID.test(value))
}
