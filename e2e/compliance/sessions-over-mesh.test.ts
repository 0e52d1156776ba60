import type { LocalSessions } from '@qmtcode/agent'
import type { PeerId, SessionShare } from '@qmtcode/protocol'
import { sessionsCompliance } from '@qmtcode/testing'
import { startMeshSessions } from '../support/mesh-sessions.ts'
import type { Guest } from '../support/mesh-sessions.ts'

/** Two guests over real sockets: each was given `control` of all that the other begins. */
sessionsCompliance('over the mesh', async (runTurn) => {
  const mesh = await startMeshSessions(runTurn, { wrap: (sessions, ids) => sharedWith(ids, sessions) })
  return {
    workspace: mesh.host.workspace,
    callers: 'peers',
    restart: mesh.restart,
    async as(caller) {
      await mesh.connected(caller)
      return mesh.guests[caller].peers.sessions(mesh.hostNode().peerId)
    },
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  }
})

/** As if each session had been shared, without the event that says so: the suite counts events. */
function sharedWith(ids: Record<Guest, PeerId>, sessions: LocalSessions): LocalSessions {
  const given = (['alice', 'bob'] as const).map((node): SessionShare => ({ peerId: ids[node], node, rights: ['control'] }))
  const withShare = <Row extends { shares: SessionShare[] }>(row: Row): Row => ({ ...row, shares: [...row.shares, ...given] })
  return {
    ...sessions,
    as: (author, { shows } = {}) => sessions.as(author, shows && { shows: (row) => shows(withShare(row)) }),
    records: {
      ...sessions.records,
      row: async (id) => {
        const row = await sessions.records.row(id)
        return row && withShare(row)
      },
    },
  }
}
