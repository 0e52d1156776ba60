import { relative } from 'node:path'
import type { FoundWords, UnseenFile } from '../guest-files/types.ts'
import { isWithin } from '../tools/real-path.ts'
import type { PermissionDecision, Permissions, PermissionSubject, SessionPermissions } from './types.ts'

type Session = Parameters<Permissions['forSession']>[0]

/** What an answer for the session still covers once words of others are in the context: nothing that runs. */
const KEPT: readonly PermissionSubject['permission'][] = ['read', 'edit']
const MAX_NAMED = 5
const MAX_NAME_CHARS = 60

/**
 * The permissions of a turn of this node's own person, which become those of a guest as soon as words of guests are in it, or in files that it can
 * get. What the person would be free to do is then asked of this node's person, who alone may answer it: each time if they are in the session; for
 * files until they say yes to these.
 */
export function leastRights(
  permissions: Permissions,
  session: Session & { root: string },
  { isInContext, unseen }: FoundWords,
): SessionPermissions {
  const own = permissions.forSession(session)
  if (session.forGuest === true || (!isInContext && unseen.length === 0)) return own
  const granted = session.granted.filter(({ permission }) => KEPT.includes(permission))
  const least = permissions.forSession({ ...session, granted, forGuest: true, freeInSandbox: false })
  return {
    decide(subject) {
      const decision = least.decide(subject)
      if (decision.action !== 'ask' || own.decide(subject).action !== 'allow') return decision
      if (isInContext) return because(decision, 'asked since words of another node are in this session')
      return { ...because(decision, describeUnseen(unseen, session.root)), unseen }
    },
    hides: least.hides,
    keepsBack: own.keepsBack,
  }
}

function because(decision: PermissionDecision, why: string): PermissionDecision {
  return { ...decision, reason: [decision.reason, why].filter((part) => part !== '').join('; ') }
}

function describeUnseen(unseen: readonly UnseenFile[], root: string): string {
  const running = unseen.find(({ isRunning }) => isRunning === true)
  const written = unseen.filter(({ isRunning }) => isRunning !== true)
  if (running && written.length === 0) return `asked since a command of another node (${printable(running.by)}) is running here`
  const named = written.slice(0, MAX_NAMED).map(({ path, by }) => `${nameOf(path, root)} (${printable(by)})`)
  const more = written.length - named.length
  const all = `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return `asked since other nodes had a part in files that you have not allowed yet: ${all}. To allow this allows them as they are now`
}

function nameOf(path: string, root: string): string {
  if (path === root) return 'the whole workspace'
  return printable(isWithin(root, path) ? relative(root, path) : path)
}

function printable(text: string): string {
  const plain = text.replace(/\p{C}/gu, '\u{FFFD}')
  return plain.length > MAX_NAME_CHARS ? `…${plain.slice(-MAX_NAME_CHARS)}` : plain
}
