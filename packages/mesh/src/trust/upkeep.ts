import type { Logger, PeerId } from '@qmtcode/protocol'
import type { Connection } from '@libp2p/interface'
import type { Greeter } from '../handshake/greeter.ts'
import type { Links } from '../links/links.ts'
import type { Membership } from './membership.ts'
import type { TrustBook } from './trust-book.ts'

/** What time alone changes: grants end, and are renewed by whoever stands above this node and is connected. */
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

  async function renew(peerId: PeerId, connection: Connection): Promise<void> {
    try {
      await greeter.greet(connection)
    } catch (error) {
      log.debug('not renewed', { peerId, error: String(error) })
    }
  }
  function look(): void {
    trust.review()
    for (const { peerId, lines } of links.all()) {
      const [line] = lines
      if (!line || !membership.wantsRenewal(peerId)) continue
      const run = renew(peerId, line.connection).finally(() => running.delete(run))
      running.add(run)
    }
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
