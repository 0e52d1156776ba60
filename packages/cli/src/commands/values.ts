import { PERMISSION_NAMES } from '@qmtcode/agent/vocabulary'
import { INVITE_LIMITS, RIGHTS, ROLES, didYouMean, peerIdSchema, sessionIdSchema } from '@qmtcode/protocol'
import type { PeerId, Right, Role, SessionId } from '@qmtcode/protocol'
import { InvalidArgumentError } from 'commander'
import type { SessionPlace } from './invocation.ts'

const MAX_WAIT_SECS = 3_600

/** Parsers of values for commander; what they throw names what was expected. */
export function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds < 0 || seconds > MAX_WAIT_SECS) {
    throw new InvalidArgumentError(`Expected seconds from 0 to ${MAX_WAIT_SECS}.`)
  }
  return seconds * 1_000
}

export function parseLimit(text: string): number {
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > 100_000) throw new InvalidArgumentError('Expected a number from 1 to 100000.')
  return limit
}

/** `90s`, `30m`, `24h`, `7d`, in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})(s|m|h|d)$/.exec(text.trim())
  const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? '']
  const ms = Number(match?.[1]) * (unit ?? 0)
  if (unit === undefined || ms < INVITE_LIMITS.minTtlMs || ms > INVITE_LIMITS.maxTtlMs) {
    throw new InvalidArgumentError('Expected a time from 1s to 30d, for example 30m, 24h or 7d.')
  }
  return ms
}

export function parseUses(text: string): number {
  const uses = Number(text)
  if (!Number.isInteger(uses) || uses < 1 || uses > INVITE_LIMITS.maxUses)
    throw new InvalidArgumentError(`Expected a number from 1 to ${INVITE_LIMITS.maxUses}.`)
  return uses
}

export const collectLabel = (text: string, before: string[]): string[] => [...before, ...text.split(',').map((label) => label.trim())]

export function parseMode(text: string): 'build' | 'plan' {
  if (text === 'build' || text === 'plan') return text
  throw new InvalidArgumentError(`Expected build or plan${didYouMean(text, ['build', 'plan'])}.`)
}

export function parseSessionId(text: string): SessionId {
  const id = sessionIdSchema.safeParse(text)
  if (!id.success) throw new InvalidArgumentError('Expected a session id (ses_…); to list them: qmtcode sessions')
  return id.data
}

/** `NODE/SESSION`, or one of them. */
export function parsePlace(text: string): SessionPlace {
  const slash = text.lastIndexOf('/')
  if (slash > 0) return { node: text.slice(0, slash), session: parseSessionId(text.slice(slash + 1)) }
  const id = sessionIdSchema.safeParse(text)
  if (id.success) return { session: id.data }
  if (slash === 0 || text === '')
    throw new InvalidArgumentError('Expected NODE/SESSION, NODE or SESSION; see: qmtcode nodes, qmtcode sessions')
  return { node: text }
}

export function parseRights(text: string): Right[] {
  return text.split(',').map((name) => {
    const right = RIGHTS.find((known) => known === name.trim())
    if (right === undefined) throw new InvalidArgumentError(`Expected rights (${RIGHTS.join(', ')})${didYouMean(name.trim(), RIGHTS)}.`)
    return right
  })
}

export function parsePeerId(text: string): PeerId {
  const id = peerIdSchema.safeParse(text)
  if (!id.success)
    throw new InvalidArgumentError('Expected a whole peer id (12D3KooW…): trust is for keys, not for names; to list them: qmtcode peers')
  return id.data
}

export function parseRole(text: string): Role {
  const role = ROLES.find((known) => known === text)
  if (role === undefined) throw new InvalidArgumentError(`Expected one of ${ROLES.join(', ')}${didYouMean(text, ROLES)}.`)
  return role
}

export function parseAllow(text: string, before: string[]): string[] {
  const names = text.split(',').map((name) => name.trim())
  for (const name of names) {
    if (!PERMISSION_NAMES.some((known) => known === name))
      throw new InvalidArgumentError(
        `Expected permissions (${PERMISSION_NAMES.join(', ')}), with commas between${didYouMean(name, PERMISSION_NAMES)}.`,
      )
  }
  return [...new Set([...before, ...names])]
}

function parseAddress(text: string): string {
  if (!text.startsWith('/')) throw new InvalidArgumentError('Expected a multiaddr, for example /ip4/192.168.1.100/tcp/9000.')
  return text
}

/** Stands for the value of `--mesh` or `--dashboard` alone: no address and no host begins so. */
export const BARE = '*'

export const collectMesh = (text: string, before: string[]): string[] => [...before, text === BARE ? BARE : parseAddress(text)]
export const collectAddress = (text: string, before: string[]): string[] => [...before, parseAddress(text)]
