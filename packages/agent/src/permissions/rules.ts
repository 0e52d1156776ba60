import { homedir } from 'node:os'
import { allowedWords, restrictsCommand } from './command-rules.ts'
import { pathMatches, textMatches } from './glob.ts'
import type { PermissionRule, PermissionSubject } from './types.ts'

/** A rule for a call. */
interface FoundRule extends Pick<PermissionRule, 'action' | 'match'> {
  /** What it allows is exactly this command. */
  words?: readonly string[]
}

export interface RulesFor {
  /** The last that matches. */
  rule?: FoundRule
  /** One after it restricts commands, and nobody knows before it runs whether this one is such a command. */
  mayBeRestricted: boolean
}

export function findRule(rules: readonly PermissionRule[], subject: PermissionSubject, home = homedir()): RulesFor {
  let mayBeRestricted = false
  for (const rule of rules.toReversed()) {
    const found = namesTool(rule, subject) && matchOf(rule, { subject, home })
    if (found === 'maybe') mayBeRestricted = true
    else if (found) return { rule: found, mayBeRestricted }
  }
  return { mayBeRestricted }
}

/** Whether a rule speaks of paths outside the workspace by their own name, and so stands for `outside` as well. */
export const isAbsoluteRule = ({ match }: PermissionRule): boolean =>
  match !== undefined && (match.startsWith('/') || match.startsWith('~/'))

/** A rule that keeps a file from one tool keeps it from every tool that does the same to it. */
function namesTool({ tool: pattern, match, action }: PermissionRule, { tool, permission }: PermissionSubject): boolean {
  if (textMatches(pattern, tool) || textMatches(pattern, permission)) return true
  return match !== undefined && action !== 'allow' && (DOES[permission] ?? []).some((name) => textMatches(pattern, name))
}

export const keepsFromReading = (rule: PermissionRule): boolean =>
  rule.match !== undefined && rule.action !== 'allow' && namesTool(rule, { tool: 'read_file', permission: 'read' })

const DOES: Partial<Record<PermissionSubject['permission'], readonly string[]>> = {
  read: ['read_file', 'search_text'],
  edit: ['edit', 'write_file'],
}

function matchOf(rule: PermissionRule, call: { subject: PermissionSubject; home: string }): FoundRule | 'maybe' | undefined {
  const { match, action } = rule
  const { path, command } = call.subject
  if (match === undefined) return { action }
  if (command !== undefined) return commandMatch(rule, match, call.subject)
  if (!path) return undefined
  const pattern = match.startsWith('~/') ? call.home + match.slice(1) : match
  return pathMatches(pattern, pattern.startsWith('/') ? path.real : path.shown) ? { action, match } : undefined
}

/**
 * What allows is read strictly, what restricts is read widely: `git status *` allows no `git status; rm -rf .`,
 * while `rm *` also forbids the second command of a list. A pattern for every tool is meant for paths, and allows no command.
 */
function commandMatch(rule: PermissionRule, match: string, subject: PermissionSubject): FoundRule | 'maybe' | undefined {
  const { action, tool } = rule
  const { command = '', isMore = false } = subject
  if (action === 'allow') {
    const words = tool === '*' || isMore ? undefined : allowedWords(match, command)
    return words && { action, match, words }
  }
  const found = restrictsCommand(match, command)
  if (found === 'yes') return { action, match }
  return found === 'maybe' || isMore ? 'maybe' : undefined
}
