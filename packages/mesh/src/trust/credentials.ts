import { AppError, toAppError } from '@qmtcode/protocol'
import type { Clock, Logger, PeerId } from '@qmtcode/protocol'
import type { Hello } from '../handshake/hello.ts'
import { openChain, readChain } from './grant.ts'
import type { Chain } from './grant.ts'
import type { KnownPeersContent } from './known-peers-file.ts'
import { openRotations, shownRotations } from './rotation.ts'
import type { TrustBook } from './trust-book.ts'

/** What nodes show of themselves in each hello: their grants, and the ids that they had before. */
export interface Credentials {
  /** This node's. */
  shown(): { rotated: string[]; chains: Chain[] }
  /** Keeps what counts here of what a peer shows. Never throws. */
  take(peerId: PeerId, hello: Pick<Hello, 'rotated' | 'grants'>): Promise<void>
}

export interface CredentialsComponents {
  clock: Clock
  log: Logger
  trust: TrustBook
  content: KnownPeersContent
  /** A peer that may stand above this node has a new key: what its old one granted is to be renewed by the new one. */
  onMoved(): void
}

export function createCredentials(components: CredentialsComponents, { self }: { self: PeerId }): Credentials {
  const { clock, log, trust, content, onMoved } = components
  const { grants } = trust

  /** Keeps what counts of the chains that `peerId` shows of meshes of ours. `earlier`: ids that it proved to have been. */
  async function accept(peerId: PeerId, chains: readonly Chain[], earlier: readonly PeerId[]): Promise<void> {
    for (const chain of chains) {
      const [first] = readChain(chain)
      if (!first || !grants.isPinned(first.root)) continue
      if (grants.chainIn(first.root, peerId)?.chain.join() === chain.join()) continue
      const opened = await openChain(chain)
      const bearer = opened.at(-1)?.to
      if (bearer !== peerId && !earlier.some((id) => id === bearer)) throw new AppError('bad_request', 'a grant of another peer')
      if (grants.prevails(peerId, opened)) await trust.update(() => grants.keep(peerId, chain), peerId)
    }
  }
  async function follow(peerId: PeerId, tokens: readonly string[]): Promise<PeerId[]> {
    const steps = await openRotations(tokens, peerId, clock.now())
    for (const { before, after, at } of steps) {
      if (!(await trust.move(before, after, at))) continue
      log.warn('a peer has a new id, signed by the old one', { before, after })
      onMoved()
    }
    return steps.map(({ before }) => before)
  }
  return {
    shown: () => ({
      rotated: shownRotations(content.rotations, self, clock.now()),
      chains: grants.own().map(({ chain }) => chain),
    }),
    async take(peerId, hello) {
      try {
        const earlier = hello.rotated ? await follow(peerId, hello.rotated) : []
        if (hello.grants) await accept(peerId, hello.grants, earlier)
      } catch (error) {
        log.info('refused what a peer shows', { peerId, error: toAppError(error).message })
      }
    },
  }
}
