import { AppError, roleIncludes } from '@qmtcode/protocol'
import type { Logger, PeerId } from '@qmtcode/protocol'
import type { TrustBook } from '../trust/trust-book.ts'
import type { KnowledgeParts, LinkParts, TrustParts } from './parts.ts'

type Watched = { log: Logger } & Pick<TrustParts, 'greeter' | 'server'> &
  Pick<LinkParts, 'links' | 'keeper' | 'closeAll'> &
  Pick<KnowledgeParts, 'directory' | 'gossip' | 'own'>

/** What follows from a decision: a ban or a forgotten peer loses its connections now; any other change is told to it. */
export function createTrustWatch(watched: Watched): Parameters<TrustBook['onChange']>[0] {
  const { server, links, keeper, own } = watched
  return (peerId, { before, after, forgotten }) => {
    if (after.state === 'banned' || forgotten) {
      cut(watched, peerId, new AppError('forbidden', after.state === 'banned' ? 'it was banned here' : 'it was forgotten here'))
    } else {
      if (before.role !== undefined && !roleIncludes(after.role, before.role))
        server.cut(new AppError('forbidden', 'your role here changed'), peerId)
      if (before.use && !after.use) links.cutCalls(peerId, new AppError('forbidden', 'nothing may be sent to it any more'))
      const isTold = before.state !== after.state || before.role !== after.role || before.open !== after.open
      if (isTold) tell(watched, peerId)
      links.review(peerId)
    }
    own.wake()
    keeper.wake()
  }
}

function cut({ server, links, closeAll, directory, gossip }: Watched, peerId: PeerId, reason: AppError): void {
  server.cut(reason, peerId)
  links.cut(peerId, reason)
  closeAll(peerId, reason)
  directory.forget(peerId)
  gossip.forget(peerId)
}

function tell({ log, links, greeter }: Watched, peerId: PeerId): void {
  for (const { connection } of links.get(peerId)?.lines ?? []) {
    greeter.greet(connection).catch((error: unknown) => log.debug('could not tell its standing', { peerId, error: String(error) }))
  }
}
