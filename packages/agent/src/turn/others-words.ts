import type { DurableEvent } from '@qmtcode/protocol'
import { createSessionReach } from '../guest-files/reach.ts'
import type { ReachComponents } from '../guest-files/reach.ts'
import type { BegunWrite, FoundWords, GuestFiles } from '../guest-files/types.ts'
import { createGuestWords } from './guest-words.ts'
import type { TurnContext } from './types.ts'

/** The words of other nodes that a turn has, or can get: in its session, and in files. */
export interface OthersWords {
  observe(event: DurableEvent): void
  found(): Promise<FoundWords>
  /** Before the turn writes a file, or runs a command (no `path`). Undefined: nobody else's words are in it. */
  writing(path?: string): Promise<Pick<BegunWrite, 'ended'> | undefined>
  approve: GuestFiles['approve']
}

export interface OthersWordsComponents extends ReachComponents {
  turn: Pick<TurnContext, 'guest' | 'author' | 'isGuest' | 'events'>
  guestFiles: GuestFiles
}

export function createOthersWords({ turn, guestFiles, ...components }: OthersWordsComponents): OthersWords {
  const { root } = components.workspace
  const words = createGuestWords(turn.isGuest)
  const reach = createSessionReach(components)
  const observe = (event: DurableEvent): void => {
    words.observe(event)
    reach.observe(event)
  }
  for (const event of turn.events) observe(event)
  const own = new Set<number>() // its own commands
  const found = async (): Promise<FoundWords> => {
    const { unseen, hasLost } = await guestFiles.look(reach.now)
    return { isInContext: words.has() || hasLost, unseen: unseen.filter(({ id }) => !own.has(id)) }
  }
  const writer = async (): Promise<string | undefined> => {
    if (turn.guest !== undefined) return turn.author.node
    const { isInContext, unseen } = await found()
    return isInContext || unseen.length > 0 ? 'with words of others' : undefined
  }
  return {
    observe,
    found,
    writing: async (path) => {
      const by = await writer()
      if (by === undefined) return undefined
      const begun = await guestFiles.writing({ by, root, ...(path !== undefined && { path }) })
      if (path === undefined) own.add(begun.id)
      return begun
    },
    approve: guestFiles.approve,
  }
}
