import { createKeptSet } from '@qmtcode/mesh/gossip'
import type { Gossip, KeptSet } from '@qmtcode/mesh/gossip'
import { AppError, sessionRowSchema, toAppError, statedCounter } from '@qmtcode/protocol'
import type { Logger, PeerId, SessionId, SessionInfo, SessionRow } from '@qmtcode/protocol'
import { z } from 'zod'
import type { OwnRows } from './own-rows.ts'

/** What one node tells members: a row, or that everything it said before `since` is of an earlier start of it, and no longer true. */
export type SharedRow = { type: 'row'; row: SessionRow } | { type: 'start'; since: number }

const SET = 'sessions'
const START = 'start'
const ROWS_PER_NODE = 1_000
const startSchema = z.object({ since: statedCounter() })

/** The rows that members tell, by gossip. `isKnown`: of whom room is kept, however many others the members tell of. */
export function createSharedRows(gossip: Gossip, isKnown: (peerId: PeerId) => boolean): KeptSet<SharedRow> {
  const set = createKeptSet<SharedRow>({
    name: SET,
    self: gossip.self,
    maxPerAuthor: ROWS_PER_NODE + 1,
    isPreferred: isKnown,
    parse: ({ key, author, payload }) => parseRow(key.slice(author.length + 1), payload),
  })
  set.onUpdate((key) => {
    const said = set.read(key)
    if (said?.value?.type !== 'start') return
    const { since } = said.value
    for (const { entry } of set.ofAuthor(said.entry.author)) if (entry.version < since) set.drop(entry.key)
  })
  gossip.onSilent((peerId) => set.dropAuthor(peerId))
  gossip.add(set)
  return set
}

/** Throws bad_request. */
function parseRow(id: string, payload: string): SharedRow {
  let json: unknown
  try {
    json = JSON.parse(payload)
  } catch (cause) {
    throw new AppError('bad_request', 'a session row that is no JSON', { cause })
  }
  if (id === START) {
    const start = startSchema.safeParse(json)
    if (start.success) return { type: 'start', ...start.data }
  }
  const row = sessionRowSchema.safeParse(json)
  if (row.success && row.data.id === id) return { type: 'row', row: row.data }
  throw new AppError('bad_request', 'a malformed session row', { cause: row.error })
}

/** Keeps members told of those own sessions that `isShown` gives them. */
export function publishRows(
  components: { set: KeptSet<SharedRow>; gossip: Gossip; own: OwnRows; logger: Logger },
  isShown: (row: SessionInfo) => boolean,
): { stop(): Promise<void> } {
  const { set, gossip, own, logger } = components
  let publishing = Promise.resolve()

  const say = async (id: string, payload: string): Promise<void> => set.put(await gossip.sign(SET, { id, payload }))
  async function publish(id: SessionId): Promise<void> {
    const row = own.get(id)
    const told = set.get(`${gossip.self}/${id}`)?.payload ?? ''
    const payload = row && isShown(row) ? JSON.stringify(rowOf(row)) : ''
    if (payload !== told) await say(id, payload)
  }
  async function begin(): Promise<void> {
    const { version: since } = await gossip.sign(SET, { id: START, payload: '{}' })
    for (const { id } of own.all()) await publish(id)
    await say(START, JSON.stringify({ since }))
  }
  const next = (work: () => Promise<void>): void => {
    publishing = publishing
      .then(work)
      .catch((error: unknown) => logger.warn('members are not told of a session', { error: toAppError(error).message }))
  }
  next(begin)
  const leave = own.onChange((id) => next(() => publish(id)))
  return {
    stop: async () => {
      leave()
      await publishing
    },
  }
}

export const rowOf = ({ id, title, agent, state, seq, createdAt, updatedAt, workspace, followers }: SessionInfo): SessionRow => ({
  id,
  title: title.slice(0, 200),
  agent,
  state,
  seq,
  createdAt,
  updatedAt,
  workspace,
  followers: followers.length,
})
