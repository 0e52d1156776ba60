import { homedir } from 'node:os'
import { pathMatches, textMatches } from './glob.ts'
import type { PermissionRule, PermissionSubject } from './types.ts'

/** The last rule that matches. */
export function findRule(rules: readonly PermissionRule[], subject: PermissionSubject, home = homedir()): PermissionRule | undefined {
  return rules.findLast(
    (rule) => namesTool(rule.tool, subject) && (rule.match === undefined || matches(rule, rule.match, { subject, home })),
  )
}

/** Whether a rule speaks of paths outside the workspace by their own name, and so stands for `outside` as well. */
export const isAbsoluteRule = ({ match }: PermissionRule): boolean =>
  match !== undefined && (match.startsWith('/') || match.startsWith('~/'))

const namesTool = (pattern: string, { tool, permission }: PermissionSubject): boolean =>
  textMatches(pattern, tool) || textMatches(pattern, permission)

function matches(rule: PermissionRule, match: string, { subject, home }: { subject: PermissionSubject; home: string }): boolean {
  if (subject.command !== undefined) return commandMatches(rule, match, subject.command)
  if (!subject.path) return false
  const pattern = match.startsWith('~/') ? home + match.slice(1) : match
  const { real, shown } = subject.path
  return pathMatches(pattern, pattern.startsWith('/') ? real : shown)
}

const JOINED = /[;&|<>`\n]|\$\(/

/**
 * What allows is read strictly, what restricts is read widely: `git status*` allows no `git status; rm -rf .`,
 * while `rm *` also forbids the second command of a list. A pattern for every tool is meant for paths, and allows no command.
 */
function commandMatches({ action, tool }: PermissionRule, match: string, command: string): boolean {
  const whole = command.trim()
  if (action === 'allow' && match === '*') return true
  if (action === 'allow') return tool !== '*' && (match === whole || (!JOINED.test(whole) && textMatches(match, whole)))
  return textMatches(match, whole) || whole.split(/&&|\|\||[;&|\n()`]/).some((part) => textMatches(match, part.trim()))
}
