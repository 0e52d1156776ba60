import type { Logger, PeerId } from '@qmtcode/protocol'
import type { Connection } from '@libp2p/interface'
import type { Greeter } from '../handshake/greeter.ts'
import type { Links } from '../links/links.ts'
import type { Membership } from './membership.ts'
import type { TrustBook } from './trust-book.ts'

/** What time alone changes: grants end, and are renewed by whoever stands above this node and is connected. Shows new ones to everybody. */
export interface Upkeep {
  start(): void
  stop(): Promise<void>
}

export interface UpkeepComponents {
  log: Logger
  trust: TrustBook
  membership: Membership
  greeter: Greeter
  links: Links
}

export function createUpkeep({ log, trust, membership, greeter, links }: UpkeepComponents, { everyMs }: { everyMs: number }): Upkeep {
  let timer: NodeJS.Timeout | undefined
  const running = new Set<Promise<void>>()

  async function greet(peerId: PeerId, connection: Connection): Promise<void> {
    try {
      await greeter.greet(connection)
    } catch (error) {
      log.debug('could not greet again', { peerId, error: String(error) })
    }
  }
  function greetAll(wants: (peerId: PeerId) => boolean): void {
    for (const { peerId, lines } of links.all()) {
      const [line] = lines
      if (!line || !wants(peerId)) continue
      const run = greet(peerId, line.connection).finally(() => running.delete(run))
      running.add(run)
    }
  }
  membership.onOwn(() => greetAll(() => true))
  function look(): void {
    trust.review()
    greetAll((peerId) => membership.wantsRenewal(peerId))
  }
  return {
    start() {
      timer ??= setInterval(look, everyMs).unref()
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(running)
    },
  }
}
