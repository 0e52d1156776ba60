import type { Author, SessionEvent } from '@qmtcode/protocol'
import { personName } from './waiting-prompts.ts'

type PresenceChanged = Extract<SessionEvent, { type: 'presence.changed' }>

/** Tells of the others who come and go, once each. `isSelf`: whoever sits here. */
export function createPresenceLines(isSelf: (author: Author) => boolean): (event: PresenceChanged) => string[] {
  let known = new Map<string, Author>()
  return ({ present }) => {
    const now = new Map(present.filter((author) => !isSelf(author)).map((author) => [JSON.stringify(author), author]))
    const came = [...now].filter(([key]) => !known.has(key)).map(([, author]) => `${personName(author)} is here`)
    const left = [...known].filter(([key]) => !now.has(key)).map(([, author]) => `${personName(author)} left`)
    known = now
    return [...left, ...came]
  }
}
