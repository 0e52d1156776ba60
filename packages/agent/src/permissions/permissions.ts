import { dirname } from 'node:path'
import { describeConfinement } from '../sandbox/describe.ts'
import type { Confinement } from '../sandbox/types.ts'
import { isWithin } from '../tools/real-path.ts'
import { guestAllow, guestOptions, isReserved } from './guests.ts'
import { PERMISSION_DEFAULTS } from './names.ts'
import type { PermissionAction, PermissionName } from './names.ts'
import { obeyedByName, obeyedName } from './obeyed-files.ts'
import type { Obeyed } from './obeyed-files.ts'
import { findRule, isAbsoluteRule, keepsFromReading } from './rules.ts'
import type { RulesFor } from './rules.ts'
import type { PermissionDecision, PermissionOptions, Permissions, PermissionSubject, SessionPermissions } from './types.ts'

/**
 * Decides over tool calls by `[permissions]`. Over the table's values stand the session's `allow` list and a person's `allow_session`;
 * a rule that denies stands over all of them, and `private` files over every rule.
 */
export function createPermissions(options: PermissionOptions = {}): Permissions {
  return {
    forSession: ({ allow, granted, forGuest = false, confinement, freeInSandbox = false }) => {
      const grants = createGrants()
      for (const subject of granted) grants.add(subject)
      const isFree = forGuest && freeInSandbox && confinement?.kind === 'sandbox'
      const own = { options, allow, grants, forGuest, confinement, isFree }
      const standing: Standing = forGuest ? { ...own, options: guestOptions(options), allow: guestAllow(allow) } : own
      return {
        decide: (subject) => decide(subject, standing),
        hides: (subject) => hides(subject, standing),
        keepsBack: () => (options.rules ?? []).some(keepsFromReading),
      } satisfies SessionPermissions
    },
  }
}

interface Standing {
  options: PermissionOptions
  allow: readonly string[]
  grants: Grants
  /** A rule that asks then asks each time. */
  forGuest: boolean
  confinement?: Confinement
  /** Its commands run unasked. */
  isFree: boolean
}

function decide(subject: PermissionSubject, standing: Standing): PermissionDecision {
  const { permission, path } = subject
  if (path?.place === 'private') {
    return { action: 'deny', reason: `${path.shown} is closed to tools: it holds keys and state of qmtcode`, needs: [] }
  }
  if (path?.place === 'output') {
    if (permission === 'read') return { action: 'allow', reason: 'output of this session', needs: [] }
    return { action: 'deny', reason: 'outputs of tools can only be read', needs: [] }
  }
  const missing = missingSandbox(subject, standing)
  if (missing !== undefined) return { action: 'deny', reason: missing, needs: [] }
  const actions: [PermissionName, PermissionAction][] = [[permission, ownAction(subject, standing)]]
  if (subject.alsoReads) actions.push(['read', ownAction({ ...subject, tool: 'read_file', permission: 'read' }, standing)])
  if (path?.place === 'outside') actions.push(['outside', outsideAction(subject, standing)])
  if (wouldBeObeyed(subject, standing)) actions.push(['shell', shellAction(standing)])
  const denied = actions.find(([, action]) => action === 'deny')
  if (denied) return { action: 'deny', reason: `[permissions] deny this (${denied[0]})`, needs: [] }
  const needs = actions.filter(([, action]) => action === 'ask').map(([name]) => name)
  if (needs.length === 0) return { action: 'allow', reason: 'allowed', needs, ...allowedAs(subject, standing) }
  const reserved = standing.forGuest && (isReserved(needs) || rulesFor(subject, standing).rule !== undefined)
  return { action: 'ask', reason: reasonToAsk(needs, subject, standing), needs, ...(reserved && { reserved }) }
}

function missingSandbox({ permission }: PermissionSubject, { confinement }: Standing): string | undefined {
  if (permission !== 'shell' || confinement?.kind !== 'none' || !confinement.isRequired) return undefined
  return `[permissions] sandbox = "required", and there is no sandbox here, because ${confinement.why}`
}

const rulesFor = (subject: PermissionSubject, { options }: Standing): RulesFor => findRule(options.rules ?? [], subject, options.home)

function ownAction(subject: PermissionSubject, standing: Standing): PermissionAction {
  const { options, allow, forGuest, isFree } = standing
  const { permission } = subject
  const { rule, mayBeRestricted } = rulesFor(subject, standing)
  if (rule && forGuest) return rule.action
  const [allowed, granted] = [allow.includes(permission) || allow.includes(subject.tool), isGranted(subject, standing)]
  const unruled = isFree && permission === 'shell' ? freeAction(options) : tableAction(permission, options, allowed)
  const action = rule?.action ?? unruled
  if (action === 'deny') return 'deny'
  if (mayBeRestricted && (forGuest || !granted)) return 'ask'
  return allowed || granted ? 'allow' : action
}

const freeAction = ({ shell }: PermissionOptions): PermissionAction => (shell === 'deny' ? 'deny' : 'allow')

const tableAction = (permission: PermissionName, options: PermissionOptions, allowed: boolean): PermissionAction =>
  allowed ? 'allow' : (options[permission] ?? PERMISSION_DEFAULTS[permission])

/** What only a rule allows runs as the words that the rule was matched with. */
function allowedAs(subject: PermissionSubject, standing: Standing): Pick<PermissionDecision, 'words'> {
  const { allow, options } = standing
  const words = rulesFor(subject, standing).rule?.words
  return words === undefined || options.shell === 'allow' || allow.includes('shell') || allow.includes(subject.tool) ? {} : { words }
}

/** An answer for the session does not hold for commands that nothing confines. */
const isGranted = (subject: PermissionSubject, { grants, confinement }: Standing): boolean =>
  !(subject.permission === 'shell' && confinement?.kind === 'none') && grants.has(subject)

function outsideAction(subject: PermissionSubject, { options, allow, grants }: Standing): PermissionAction {
  const { rule } = findRule((options.rules ?? []).filter(isAbsoluteRule), subject, options.home)
  const allowed = allow.includes('outside')
  const action = rule?.action ?? (allowed ? 'allow' : (options.outside ?? PERMISSION_DEFAULTS.outside))
  return action === 'ask' && (allowed || grants.hasOutside(subject)) ? 'allow' : action
}

/** A hook of git is a command for the next `git status`, whoever types it. */
function obeyedBy({ permission, path }: PermissionSubject): Obeyed | undefined {
  if (permission !== 'edit' || !path) return undefined
  const byName = obeyedByName(path)
  return byName?.runs === true && byName.isAround !== true ? byName : (path.obeyed ?? byName)
}

/** For the person where it would run here; for a guest also where it is words to an agent. A rule allows it that names such a file. */
function wouldBeObeyed(subject: PermissionSubject, standing: Standing): boolean {
  const obeyed = obeyedBy(subject)
  if (!obeyed) return false
  if (standing.forGuest) return true
  const { rule } = rulesFor(subject, standing)
  const isNamed = rule?.action === 'allow' && rule.match !== undefined && obeyedName(rule.match) !== undefined
  return obeyed.runs && obeyed.isAround !== true && !isNamed
}

function shellAction(standing: Standing): PermissionAction {
  const { options, allow } = standing
  if (allow.includes('shell')) return 'allow'
  const action = options.shell ?? PERMISSION_DEFAULTS.shell
  return action === 'ask' && isGranted({ tool: 'shell', permission: 'shell' }, standing) ? 'allow' : action
}

function hides(subject: PermissionSubject, standing: Standing): boolean {
  if (subject.path?.place === 'private') return true
  const { rule } = rulesFor(subject, standing)
  if (rule?.match === undefined || rule.action === 'allow') return false
  return rule.action === 'deny' || !standing.grants.has(subject)
}

function reasonToAsk(needs: readonly PermissionName[], subject: PermissionSubject, standing: Standing): string {
  const { confinement } = standing
  const reasons: string[] = []
  if (needs.includes('outside')) reasons.push('outside the workspace')
  const obeyed = obeyedBy(subject)
  if (obeyed && needs.includes('shell')) reasons.push(`${obeyed.by} ${obeyed.runs ? 'runs' : 'obeys'} what is written there`)
  else if (needs.includes('shell')) reasons.push(describeConfinement(confinement))
  if (rulesFor(subject, standing).mayBeRestricted) reasons.push('not all of what it runs can be read, and a rule may be about it')
  return reasons.join('; ')
}

interface Grants {
  add(subject: PermissionSubject): void
  has(subject: PermissionSubject): boolean
  hasOutside(subject: PermissionSubject): boolean
}

/**
 * What a person allowed for the session: a permission, and outside the workspace the directory of the file that was asked for. Of the shell it is
 * the command that was shown, to the letter, and no other; of MCP the one tool.
 */
function createGrants(): Grants {
  const kept = new Set<string>()
  const directories = new Set<string>()
  return {
    add(subject) {
      const key = grantKey(subject)
      if (key !== undefined) kept.add(key)
      if (subject.alsoReads) kept.add('read')
      const { path } = subject
      if (path?.place !== 'outside') return
      const directory = dirname(path.real)
      directories.add(directory === '/' ? path.real : directory)
    },
    has(subject) {
      const key = grantKey(subject)
      return key !== undefined && kept.has(key)
    },
    hasOutside: ({ path }) => path !== undefined && [...directories].some((directory) => isWithin(directory, path.real)),
  }
}

/** Undefined: an answer for the session does not cover it, such as a command that is not known. */
function grantKey({ tool, permission, command, isMore }: PermissionSubject): string | undefined {
  if (permission === 'shell') return command === undefined || isMore ? undefined : `shell ${command.trim()}`
  return permission === 'mcp' ? `mcp ${tool}` : permission
}
