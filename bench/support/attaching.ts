import type { SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { median } from './stats.ts'

const WARM_RUNS = 2
const RUNS = 7 // of a round: its median
const LAST = 200
const MISSED = 100

/** What a person waits for who opens a session, and what it may take, in milliseconds. */
export const ATTACH_WAYS = {
  last: { what: 'the last 200 and the snapshot', budget: 150 },
  all: { what: 'all of it', budget: 1_000 },
  missed: { what: 'the 100 that were missed', budget: 20 },
} as const
export type AttachWay = keyof typeof ATTACH_WAYS

const ways: Record<AttachWay, (sessions: Sessions, id: SessionId, head: number) => Promise<void>> = {
  last: async (sessions, id) => {
    const { items } = await sessions.history(id, { limit: LAST })
    if (items.length !== LAST) throw new Error(`${items.length} events instead of ${LAST}`)
    await firstThat(sessions, id, { after: items.at(-1)?.seq ?? 0, found: (event) => event.type === 'message.snapshot' })
  },
  all: (sessions, id, head) => firstThat(sessions, id, { after: 0, found: isSeq(head) }),
  missed: (sessions, id, head) => firstThat(sessions, id, { after: head - MISSED, found: isSeq(head) }),
}

/** Milliseconds of each round. The session's turn is in the middle of a message. */
export async function measureAttach(
  sessions: Sessions,
  id: SessionId,
  { way, rounds }: { way: AttachWay; rounds: number },
): Promise<number[]> {
  const { seq: head } = await sessions.get(id)
  const run = (): Promise<void> => ways[way](sessions, id, head)
  for (let warm = 0; warm < WARM_RUNS; warm += 1) await run()
  const figures: number[] = []
  for (let round = 0; round < rounds; round += 1) figures.push(await timed(run))
  return figures
}

const isSeq =
  (seq: number) =>
  (event: SessionEvent): boolean =>
    'seq' in event && event.seq === seq

interface Place {
  after: number
  found(event: SessionEvent): boolean
}

async function firstThat(sessions: Sessions, id: SessionId, { after, found }: Place): Promise<void> {
  const left = new AbortController()
  for await (const event of sessions.follow(id, { after, signal: left.signal })) if (found(event)) left.abort()
}

async function timed(run: () => Promise<void>): Promise<number> {
  const durations: number[] = []
  for (let count = 0; count < RUNS; count += 1) {
    const startedAt = performance.now()
    await run()
    durations.push(performance.now() - startedAt)
  }
  return median(durations)
}
