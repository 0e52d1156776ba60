import type { Permissions, PermissionSubject, SessionPermissions } from './types.ts'

type Session = Parameters<Permissions['forSession']>[0]

/** What an answer for the session still covers once words of others are in the context: nothing that runs. */
const KEPT: readonly PermissionSubject['permission'][] = ['read', 'edit']

/**
 * The permissions of a turn of this node's own person, which become those of a guest as soon as words of guests are in it. What the person would be
 * free to do is then asked of this node's person each time, who alone may answer it.
 */
export function leastRights(permissions: Permissions, session: Session, hasGuestWords: () => boolean): SessionPermissions {
  const own = permissions.forSession(session)
  if (session.forGuest === true) return own
  const granted = session.granted.filter(({ permission }) => KEPT.includes(permission))
  const least = permissions.forSession({ ...session, granted, forGuest: true, freeInSandbox: false })
  return {
    decide(subject) {
      if (!hasGuestWords()) return own.decide(subject)
      const decision = least.decide(subject)
      if (decision.action !== 'ask' || own.decide(subject).action !== 'allow') return decision
      const reason = [decision.reason, 'asked since words of another node are in this session'].filter((part) => part !== '').join('; ')
      return { ...decision, reason }
    },
    hides: (subject) => (hasGuestWords() ? least : own).hides(subject),
    keepsBack: own.keepsBack,
  }
}
