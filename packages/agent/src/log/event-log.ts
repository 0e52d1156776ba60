import { AppError } from '@qmtcode/protocol'
import type { Clock, DurableEvent, Logger, SessionId } from '@qmtcode/protocol'
import { bytesOf, fromRecord, toStored, withoutUndefined } from './event-codec.ts'
import type { EventLog, EventLogOptions, EventOf, EventRecord, NewRow, NewSession } from './types.ts'
import { createWorkerClient } from './worker-client.ts'
import type { WorkerClient } from './worker-client.ts'

export interface EventLogComponents {
  clock: Clock
  logger: Logger
}

/** SQLite in a thread of its own (WAL, synchronous=FULL): the event loop never waits for a disk. */
export function createEventLog({ clock, logger }: EventLogComponents, options: EventLogOptions): EventLog {
  let client: WorkerClient | undefined
  let stopped: Promise<void> | undefined
  const store = (): WorkerClient => {
    if (client) return client
    throw new AppError('internal', 'the session log has not been started')
  }
  const stop = (): Promise<void> => (stopped ??= client?.close() ?? Promise.resolve())

  return {
    ...createWrites(store, clock),
    ...createReads(store),
    start: async () => {
      client = createWorkerClient(options)
      await client.opened
      logger.debug('session log open', { file: options.file })
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function createWrites(store: () => WorkerClient, clock: Clock): Pick<EventLog, 'create' | 'fork' | 'append' | 'remove'> {
  return {
    create: async (session, created, charge) => {
      const at = clock.now()
      const event = toStored(created, at)
      charge?.admit?.(event.bytes)
      const seq = await store().call('create', rowOf(session, created, at), event, charge?.payer)
      return { ...withoutUndefined(created), seq, at, sessionId: session.id }
    },
    fork: async (source, { at: lastSeq, session, created, closing }, charge) => {
      const at = clock.now()
      const first = toStored(created, at)
      const last = closing.map((event) => toStored(event, at))
      charge?.admit?.(first.bytes + bytesOf(last))
      const row = rowOf(session, created, at)
      await store().call('fork', source, { at: lastSeq, row, created: first, closing: last, payer: charge?.payer })
    },
    append: async (id, events, charge) => {
      const at = clock.now()
      const stored = events.map((event) => toStored(event, at))
      charge?.admit?.(bytesOf(stored))
      const first = await store().call('append', id, stored, charge?.payer)
      return events.map((event, i) => ({ ...withoutUndefined(event), seq: first + i, at, sessionId: id }))
    },
    remove: (id) => store().call('remove', id),
  }
}

function rowOf(session: NewSession, created: EventOf<'session.created'>, at: number): NewRow {
  const { agent, model, workspace, title = '', author } = created
  return { ...session, agent, model, workspace, title, author, createdAt: at }
}

type Reads = Pick<
  EventLog,
  'openAt' | 'charges' | 'session' | 'list' | 'read' | 'readBack' | 'receipt' | 'prompt' | 'queued' | 'answer' | 'unfinished'
>

function createReads(store: () => WorkerClient): Reads {
  return {
    openAt: (id, at) => store().call('openAt', id, at),
    charges: () => store().call('charges'),
    session: (id) => store().call('session', id),
    list: (page) => store().call('list', page),
    read: async (id, range) => {
      const records = await store().call('read', id, range)
      return records.map((record) => fromRecord(id, record))
    },
    readBack: async (id, range) => {
      const { records, more } = await store().call('readBack', id, range)
      return { events: records.map((record) => fromRecord(id, record)), more }
    },
    receipt: (id, promptId) => store().call('receipt', id, promptId),
    prompt: async (id, promptId) => ofType('prompt.accepted', id, await store().call('prompt', id, promptId)),
    queued: (id) => store().call('queued', id),
    answer: async (id, requestId) => {
      const record = await store().call('answer', id, requestId)
      return ofType('permission.answered', id, record) ?? ofType('question.answered', id, record)
    },
    unfinished: () => store().call('unfinished'),
  }
}

function ofType<Type extends DurableEvent['type']>(type: Type, id: SessionId, record: EventRecord | undefined): EventOf<Type> | undefined {
  const event = record && fromRecord(id, record)
  return event?.type === type ? (event as unknown as EventOf<Type>) : undefined
}
