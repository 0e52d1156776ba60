import type { Logger, PeerId } from '@qmtcode/protocol'
import { AppError, toAppError } from '@qmtcode/protocol'
import { createKeptSet } from '../gossip/kept-set.ts'
import type { Gossip } from '../gossip/types.ts'
import type { OwnRecord } from './own-record.ts'
import { parseRecord } from './record.ts'
import type { NodeRecord } from './record.ts'

/** Records that travel among members: of nodes that nobody here has a link to. */
export interface HeardRecords {
  recordOf(peerId: PeerId): NodeRecord | undefined
  /** Nodes that a record is there of, without this one. */
  ids(): PeerId[]
  /** Tells members of this node, now and whenever it changes. Addresses are known by then. */
  start(): void
  stop(): Promise<void>
}

export interface HeardRecordsComponents {
  log: Logger
  gossip: Gossip
  own: OwnRecord
  /** Admitted here: its record stays when there are too many. */
  isAdmitted(peerId: PeerId): boolean
  onHeard(peerId: PeerId, record: NodeRecord | undefined): void
}

const SET = 'nodes'
const MAX_NODES = 1_000

export function createHeardRecords(components: HeardRecordsComponents, options: { refreshMs: number }): HeardRecords {
  const { log, gossip, own, isAdmitted, onHeard } = components
  const set = createKeptSet<NodeRecord>({
    name: SET,
    self: gossip.self,
    maxPerAuthor: 1,
    maxEntries: MAX_NODES,
    isPreferred: isAdmitted,
    parse({ key, author, payload }) {
      if (key !== author) throw new AppError('bad_request', `a record of ${author} under another key`)
      return parseRecord(payload, author)
    },
  })
  gossip.add(set)
  set.onUpdate((key) => {
    if (key !== gossip.self) onHeard(key as PeerId, set.read(key)?.value)
  })
  gossip.onSilent((peerId) => set.dropAuthor(peerId))
  let timer: NodeJS.Timeout | undefined
  let telling = Promise.resolve()

  const publish = async (): Promise<void> => set.put(await gossip.sign(SET, { payload: JSON.stringify(own.record()) }))
  function tell(): void {
    telling = telling
      .then(publish)
      .catch((error: unknown) => log.warn('members are not told of this node', { error: toAppError(error).message }))
  }
  return {
    recordOf: (peerId) => set.read(peerId)?.value,
    ids: () => [...set.all()].flatMap(({ entry }) => (entry.author === gossip.self ? [] : [entry.author])),
    start() {
      tell()
      own.onAdvert(tell)
      timer = setInterval(tell, options.refreshMs).unref()
    },
    async stop() {
      clearInterval(timer)
      await telling
    },
  }
}
