import { AppError } from '@qmtcode/protocol'
import type { DurableEvent, Logger, SessionId } from '@qmtcode/protocol'
import type { EventLog } from '../log/types.ts'
import type { Engine } from './engine.ts'
import { createLedger } from './ledger.ts'

const PAGE = 500

/** Ends the turns that a crash cut, and starts the prompts that wait behind nothing. */
export async function recover(
  engine: Engine,
  { log, logger }: { log: EventLog; logger: Logger },
): Promise<{ interrupted: number; started: number }> {
  const { turns, queues } = await log.unfinished()
  for (const { id, seq } of turns) {
    try {
      await endCutTurn(log, id, seq)
    } catch (error) {
      logger.error('an interrupted turn could not be ended', { sessionId: id, error }) // one bad session does not keep the node down
    }
  }
  for (const id of queues) await engine.command(id, async (session) => engine.pump(session))
  return { interrupted: turns.length, started: queues.length }
}

async function endCutTurn(log: EventLog, id: SessionId, startSeq: number): Promise<void> {
  const [started, ...rest] = await readFrom(log, id, startSeq)
  if (started?.type !== 'turn.started') throw new AppError('internal', `event ${startSeq} of ${id} is no turn.started`)
  const ledger = createLedger(started)
  for (const event of rest) ledger.observe(event)
  await log.append(id, ledger.closing({ stopReason: 'interrupted', because: 'interrupted by a crash' }))
}

async function readFrom(log: EventLog, id: SessionId, seq: number): Promise<DurableEvent[]> {
  const events: DurableEvent[] = []
  for (;;) {
    const page = await log.read(id, { after: seq - 1 + events.length, limit: PAGE })
    if (page.length === 0) return events
    events.push(...page)
  }
}
