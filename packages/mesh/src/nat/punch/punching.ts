import type { Connection } from '@libp2p/interface'
import { AppError } from '@qmtcode/protocol'
import type { Clock, ContractClient, ContractHandlers, Logger, MeshStatus, PeerId } from '@qmtcode/protocol'
import { isRelayedLink } from '../../links/link.ts'
import type { Link } from '../../links/link.ts'
import type { Links } from '../../links/links.ts'
import { punchContract } from './contract.ts'
import { createOutside } from './outside.ts'
import { createPunch } from './punch.ts'
import { createPunchedQuic } from './punched-quic.ts'
import { createSchedule } from './schedule.ts'
import type { StunServer } from './stun-server.ts'
import type { Libp2pHost } from '../../libp2p-host.ts'

/** Direct ways to peers that are linked over a relay, where the NATs between can be opened from both sides. */
export interface Punching {
  /** Undefined: neither does this node open ways, nor does it help others to. */
  handlersFor?(peerId: PeerId): ContractHandlers<typeof punchContract>
  /** Why a relayed peer is not reached directly. */
  problemOf(peerId: PeerId): string | undefined
  /** Whether a connection leads through such a way. */
  carries(connection: Connection): boolean
  status(): Pick<NonNullable<MeshStatus['nat']>, 'punch' | 'seen'>
  start(): void
  /** Ends what is under way; connections stay. */
  stop(): Promise<void>
  /** After the connections. */
  close(): Promise<void>
}

export interface PunchingComponents {
  clock: Clock
  log: Logger
  stunServer?: StunServer
  links: Pick<Links, 'get' | 'all'>
  /** Linked peers that relay for this node. */
  relays(): Link[]
  /** Where a peer says that it is. */
  addressesOf(peerId: PeerId): string[]
  hosts(): string[]
  spareQuic: Libp2pHost['spareQuic']
  greet(connection: Connection): Promise<unknown>
}

export function createPunching(components: PunchingComponents, options: { self: PeerId; punch: boolean }): Punching {
  const { stunServer, links } = components
  const linkOf = links.get
  const clientOf = (peerId: PeerId): ContractClient<typeof punchContract> | undefined => {
    const link = linkOf(peerId)
    return link?.there?.services.includes(punchContract.service) === true ? link.lines[0]?.rpc.client(punchContract) : undefined
  }
  const outside = createOutside({ ...components, linkOf, clientOf })
  const quic = async () => createPunchedQuic(await components.spareQuic())
  const punch = createPunch({ ...components, linkOf, clientOf, look: outside.look, quic }, { self: options.self, isOn: options.punch })
  const relayed = (): PeerId[] => links.all().flatMap((link) => (link.isUp && isRelayedLink(link) ? [link.peerId] : []))
  const schedule = createSchedule({ ...components, relayed, reach: punch.reach })
  const stun: ContractHandlers<typeof punchContract>['stun'] = () => Promise.reject(new AppError('unsupported', 'it does not relay'))
  const handlersFor = (peerId: PeerId): ContractHandlers<typeof punchContract> => ({
    stun: stunServer ? async () => await Promise.resolve(stunServer.allow(peerId)) : stun,
    meet: async (offer, { signal }) => await punch.meet(peerId, offer, signal),
  })
  return {
    ...((options.punch || stunServer) && { handlersFor }),
    problemOf: punch.problemOf,
    carries: punch.carries,
    status() {
      const { nat, mapped } = outside.seen() ?? {}
      return { punch: options.punch, seen: nat && { nat, address: mapped && `${mapped.host}:${mapped.port}` } }
    },
    start() {
      schedule.start()
      if (options.punch) outside.start()
    },
    async stop() {
      await outside.stop()
      await punch.stop()
      await schedule.stop()
    },
    close: punch.close,
  }
}
