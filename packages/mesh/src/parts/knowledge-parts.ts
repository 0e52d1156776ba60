import { roleIncludes } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { directoryContract } from '../directory/contract.ts'
import { createDirectory } from '../directory/directory.ts'
import { createHeardRecords } from '../directory/heard-records.ts'
import { createOwnRecord } from '../directory/own-record.ts'
import { gossipContract } from '../gossip/contract.ts'
import { GOSSIP_TIMINGS, createGossip } from '../gossip/gossip.ts'
import type { GossipService } from '../gossip/gossip.ts'
import { createFinding } from './finding.ts'
import type { KnowledgeParts, LinkParts, PartsComponents, TrustParts } from './parts.ts'

/** What is told and heard: this node's record, those of others from them or by gossip, and where discovery finds them. */
export function createKnowledgeParts(components: PartsComponents, trusting: TrustParts, linking: LinkParts): KnowledgeParts {
  const { log, key, self, file, options } = components
  const own = createOwnRecord(
    { log, key, addresses: linking.ownAddresses },
    { peerId: self, name: options.name, software: options.version, starts: file.content.starts, loadMs: options.timings.load },
  )
  const gossip = createTalk(components, trusting, linking)
  const { heard, directory } = createRecords(components, { ...trusting, ...linking, own, gossip })
  const learntAddresses = (peerId: PeerId): string[] =>
    trusting.isAdmitted(peerId) ? [...discovery.addressesOf(peerId), ...(directory.recordOf(peerId)?.addresses ?? [])] : []
  const discovery = createFinding(components, { ...trusting, ...linking, own, learntAddresses })
  return { own, directory, discovery, gossip, heard, learntAddresses }
}

/** What members keep the same among them. */
function createTalk({ clock, log, key, self, file, options }: PartsComponents, trusting: TrustParts, linking: LinkParts): GossipService {
  const { trust, services } = trusting
  const { links, clientOf } = linking
  const gossip = createGossip(
    {
      clock,
      log: log.child('gossip'),
      key,
      isBanned: (peerId) => trust.standing(peerId).state === 'banned',
      linked: () => links.all().flatMap((link) => (link.isUp ? [link.peerId] : [])),
      clientOf: (peerId) => clientOf(peerId, gossipContract),
    },
    { self, starts: file.content.starts, timings: options.gossip },
  )
  services.add(gossipContract, { handlersFor: (peer) => gossip.handlersFor(peer.peerId) })
  return gossip
}

/** Records of other nodes, from members and from the nodes themselves. A name in them obeys the pins as any other, and only an admitted peer's is pinned. */
function createRecords(
  { clock, log, options }: PartsComponents,
  given: TrustParts & LinkParts & Pick<KnowledgeParts, 'own' | 'gossip'>,
): Pick<KnowledgeParts, 'heard' | 'directory'> {
  const { events, trust, services, isAdmitted, claimName, keeper, clientOf, own, gossip } = given
  const onChange = (peerId: PeerId): void => events.emit({ type: 'peer.changed', at: clock.now(), peerId, name: trust.nameOf(peerId) })
  const heard = createHeardRecords(
    {
      log,
      gossip,
      own,
      isAdmitted,
      onHeard(peerId, record) {
        if (record && isAdmitted(peerId)) claimName(peerId, record.name)
        onChange(peerId)
        keeper.wake()
      },
    },
    { refreshMs: options.gossip?.refreshMs ?? GOSSIP_TIMINGS.refreshMs },
  )
  const directory = createDirectory({
    log,
    clientOf: (peerId) => clientOf(peerId, directoryContract),
    claimName: async (peerId, claimed) => !isAdmitted(peerId) || (await trust.pinName(peerId, claimed)),
    onChange,
    heardOf: heard.recordOf,
  })
  gossip.onSilent((peerId) => directory.forget(peerId))
  services.add(directoryContract, {
    handlersFor: (peer) => ({
      follow: (_, context) => own.follow(() => roleIncludes(peer.role(), 'client') || trust.standing(peer.peerId).open, context.signal),
    }),
  })
  return { heard, directory }
}
