import { AppError } from '@qmtcode/protocol'
import type { DurableEvent, Logger, SessionId } from '@qmtcode/protocol'
import type { EventLog } from '../log/types.ts'
import type { Engine } from './engine.ts'
import { createLedger } from './ledger.ts'

const PAGE = 500

/**
 * Ends the turns that a crash cut, but for those that waited for an answer: they wait on.
 * Starts the prompts that wait behind nothing.
 */
export async function recover(
  engine: Engine,
  { log, logger }: { log: EventLog; logger: Logger },
): Promise<{ interrupted: number; waiting: number; started: number }> {
  const { turns, queues } = await log.unfinished()
  let waiting = 0
  for (const { id, seq } of turns) {
    try {
      if ((await goOn({ engine, log }, id, seq)) === 'waiting') waiting += 1
    } catch (error) {
      logger.error('an interrupted turn could not be ended', { sessionId: id, error }) // one bad session does not keep the node down
    }
  }
  for (const id of queues) await engine.command(id, async (session) => engine.pump(session))
  return { interrupted: turns.length - waiting, waiting, started: queues.length }
}

async function goOn(
  { engine, log }: { engine: Engine; log: EventLog },
  id: SessionId,
  startSeq: number,
): Promise<'waiting' | 'interrupted'> {
  const events = await readFrom(log, id, startSeq)
  const [started, ...rest] = events
  if (started?.type !== 'turn.started') throw new AppError('internal', `event ${startSeq} of ${id} is no turn.started`)
  const ledger = createLedger(started)
  for (const event of rest) ledger.observe(event)
  const prompt = ledger.isWaiting() ? await log.prompt(id, started.promptId) : undefined
  if (prompt) {
    const { promptId, author } = prompt
    await engine.command(id, async (session) => engine.begin(session, { promptId, author }, { turnId: started.turnId, events }))
    return 'waiting'
  }
  await log.append(id, ledger.closing({ stopReason: 'interrupted', because: 'interrupted by a crash' }))
  return 'interrupted'
}

async function readFrom(log: EventLog, id: SessionId, seq: number): Promise<DurableEvent[]> {
  const events: DurableEvent[] = []
  for (;;) {
    const page = await log.read(id, { after: seq - 1 + events.length, limit: PAGE })
    if (page.length === 0) return events
    events.push(...page)
  }
}
