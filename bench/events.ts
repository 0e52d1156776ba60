import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { createEventLog } from '@qmtcode/agent'
import { newMessageId, newSessionId, silentLogger, systemClock } from '@qmtcode/protocol'
import type { SessionId } from '@qmtcode/protocol'
import type { Bench } from './support/bench.ts'
import { rowOf } from './support/rounds.ts'

const WRITERS = 16
const WARM_MS = 500
const ROUND_MS = 2_000
const TMPFS = 0x01021994
const TEXT = 'A sentence or two, as a model writes it between one call of a tool and the next. '.repeat(3)

type Log = ReturnType<typeof createEventLog>

/** Events that sessions append at the same time, each waiting until its own is on disk. */
export const events: Bench = {
  name: 'events',
  async run({ directory, rounds }) {
    await using log = createEventLog({ clock: systemClock, logger: silentLogger }, { file: join(directory, 'sessions.db') })
    await log.start()
    const sessions = await Promise.all(Array.from({ length: WRITERS }, () => createSession(log)))
    await eventsPerSecond(log, sessions, WARM_MS)
    const figures: number[] = []
    for (let round = 0; round < rounds; round += 1) figures.push(await eventsPerSecond(log, sessions, ROUND_MS))
    const what = `durable events, ${WRITERS} writers`
    const disk = (await statfs(directory)).type === TMPFS ? 'in memory (tmpfs): no disk was measured' : 'synchronous=FULL'
    return [rowOf({ bench: 'events', what, unit: '/s', budget: { atLeast: 3_000 }, note: `one event an append, ${disk}` }, figures)]
  },
}

async function createSession(log: Log): Promise<SessionId> {
  const id = newSessionId()
  const session = { id, private: false, unattended: false, mode: 'build', allow: [] } as const
  await log.create(session, { type: 'session.created', agent: 'bench', workspace: '/', author: { node: 'bench' } })
  return id
}

async function eventsPerSecond(log: Log, sessions: readonly SessionId[], ms: number): Promise<number> {
  const startedAt = performance.now()
  let count = 0
  const write = async (id: SessionId): Promise<void> => {
    while (performance.now() - startedAt < ms) {
      const content = [{ type: 'text', text: TEXT } as const]
      await log.append(id, [
        { type: 'message.completed', turnId: 'turn_bench', messageId: newMessageId(), role: 'assistant', text: TEXT, content },
      ])
      count += 1
    }
  }
  await Promise.all(sessions.map(write))
  return (1_000 * count) / (performance.now() - startedAt)
}
