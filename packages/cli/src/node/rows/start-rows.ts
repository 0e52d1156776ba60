import { seesRow } from '@qmtcode/agent'
import type { EventLog } from '@qmtcode/agent'
import type { MeshNode } from '@qmtcode/mesh'
import { roleIncludes } from '@qmtcode/protocol'
import type { Clock, Logger, PeerId, SessionInfo, SessionRows, Sessions } from '@qmtcode/protocol'
import type { Config } from '../../config/config.ts'
import { createOwnRows } from './own-rows.ts'
import { createSessionRows } from './session-rows.ts'
import { createSharedRows, publishRows } from './shared-rows.ts'
import { watchedLog } from './watched-log.ts'

/** The rows of this node's sessions: kept true, told to members as far as the configuration and each session allow. */
export interface RowsSide extends AsyncDisposable {
  /** The node's log, whose writes are seen here. */
  log: EventLog
  port: SessionRows
  /** Sessions that members may know of. */
  toldCount(): number
  /** `listener` is called when that number changed. Returns how to leave. */
  onCount(listener: () => void): () => void
  /** After the sessions' start. */
  begin(sessions: Sessions): Promise<void>
}

export interface RowsSideComponents {
  config: Config
  clock: Clock
  logger: Logger
  log: EventLog
  node: { name: string; peerId?: PeerId }
  /** Absent: the mesh is not enabled. */
  mesh?: MeshNode
}

export function startRows({ config, clock, logger, log, node, mesh }: RowsSideComponents): RowsSide {
  const own = createOwnRows({ clock, logger })
  const isKnown = (peerId: PeerId): boolean => roleIncludes(mesh?.about(peerId).role, 'client')
  const shared = mesh && { set: createSharedRows(mesh.gossip, isKnown), gossip: mesh.gossip, peers: mesh.peers }
  const isShown = (row: SessionInfo): boolean => seesRow(row, config.mesh.share)
  const toldCount = (): number => own.all().filter(isShown).length
  let publishing: { stop(): Promise<void> } | undefined
  return {
    log: watchedLog(log, own.touch),
    port: createSessionRows({ own, node, mesh: shared }),
    toldCount,
    onCount(listener) {
      let last = toldCount()
      return own.onChange(() => {
        const now = toldCount()
        if (now !== last) listener()
        last = now
      })
    },
    begin: async (sessions) => {
      await own.start(sessions)
      if (shared) publishing = publishRows({ ...shared, own, logger }, isShown)
    },
    [Symbol.asyncDispose]: async () => {
      await own.stop()
      await publishing?.stop()
    },
  }
}
