import { join } from 'node:path'
import { createEventLog, createSessions } from '@qmtcode/agent'
import type { RunTurn } from '@qmtcode/agent'
import { newMessageId, newPromptId, silentLogger, systemClock } from '@qmtcode/protocol'
import type { AgentSpec, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import type { Bench } from './support/bench.ts'
import { rowOf } from './support/rounds.ts'
import { median } from './support/stats.ts'

const EVENTS = 10_000
const APPEND_BATCH = 500
const LAST = 200
const MISSED = 100
const WARM_RUNS = 2
const RUNS = 7 // of a round: its median
const AUTHOR = { node: 'bench' }
const TEXT = 'A sentence or two, as a model writes it between one call of a tool and the next. '.repeat(3)

const agent: AgentSpec = { id: 'bench', name: 'bench', description: '', kind: 'local', capabilities: [], target: { kind: 'local' } }

/** A turn in the middle of a message: who attaches now, needs its snapshot. */
const unfinishedTurn: RunTurn = async ({ turnId, publish, signal }) => {
  publish({ type: 'message.delta', turnId, messageId: newMessageId(), kind: 'text', text: TEXT })
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  return { stopReason: 'cancelled', usage: { inputTokens: 0, outputTokens: 0 } }
}

/** What a person waits for who opens a long session of this node. */
export const attach: Bench = {
  name: 'attach',
  async run({ directory, rounds }) {
    const components = { clock: systemClock, logger: silentLogger }
    await using log = createEventLog(components, { file: join(directory, 'sessions.db') })
    await log.start()
    const agents = { get: () => agent, default: () => agent }
    await using local = createSessions(
      { ...components, log, agents, runTurn: unfinishedTurn, node: { name: AUTHOR.node } },
      { defaultWorkspace: directory },
    )
    await local.start()
    const sessions = local.as(AUTHOR)
    const { id } = await sessions.create({})
    await fill(log, id)
    await sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'go on' }] })
    await untilLive(sessions, id)

    const { seq: head } = await sessions.get(id)
    const ways = {
      'the last 200 and the snapshot': { budget: 150, run: () => lastPage(sessions, id) },
      'all of it': { budget: 1_000, run: () => follow(sessions, id, { after: 0, head }) },
      'the 100 that were missed': { budget: 20, run: () => follow(sessions, id, { after: head - MISSED, head }) },
    }
    const rows = []
    for (const [what, { budget, run }] of Object.entries(ways)) {
      for (let warm = 0; warm < WARM_RUNS; warm += 1) await run()
      const figures: number[] = []
      for (let round = 0; round < rounds; round += 1) figures.push(await timed(run))
      rows.push(rowOf({ bench: 'attach', what: `attach to 10,000 events: ${what}`, unit: 'ms', budget: { atMost: budget } }, figures))
    }
    return rows
  },
}

async function fill(log: ReturnType<typeof createEventLog>, id: SessionId): Promise<void> {
  const content = [{ type: 'text', text: TEXT } as const]
  const message = () =>
    ({ type: 'message.completed', turnId: 'turn_bench', messageId: newMessageId(), role: 'assistant', text: TEXT, content }) as const
  for (let count = 0; count < EVENTS; count += APPEND_BATCH) await log.append(id, Array.from({ length: APPEND_BATCH }, message))
}

async function lastPage(sessions: Sessions, id: SessionId): Promise<void> {
  const { items } = await sessions.history(id, { limit: LAST })
  if (items.length !== LAST) throw new Error(`${items.length} events instead of ${LAST}`)
  await firstThat(sessions, id, { after: items.at(-1)?.seq ?? 0, found: (event) => event.type === 'message.snapshot' })
}

const follow = (sessions: Sessions, id: SessionId, { after, head }: { after: number; head: number }): Promise<void> =>
  firstThat(sessions, id, { after, found: (event) => 'seq' in event && event.seq === head })

const untilLive = (sessions: Sessions, id: SessionId): Promise<void> =>
  firstThat(sessions, id, { after: EVENTS, found: (event) => event.type === 'message.snapshot' || event.type === 'message.delta' })

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
