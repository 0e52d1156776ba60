import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { AppError } from '@qmtcode/protocol/errors'
import type { PeerId, PromptId, SessionId } from '@qmtcode/protocol'
import { bytesOf } from './event-codec.ts'
import { createEffects } from './store-effects.ts'
import { createForks } from './store-forks.ts'
import { createRanges } from './store-ranges.ts'
import type { Ranges } from './store-ranges.ts'
import { createRemove } from './store-remove.ts'
import { readPage, text, toQueuedPrompt, toRecord, toSessionRow } from './store-rows.ts'
import type { Row } from './store-rows.ts'
import type { StoredEvent, StoreMethods } from './types.ts'

/** The prepared statements behind StoreMethods. */
export function createStoreMethods(db: DatabaseSync): StoreMethods {
  const place = db.prepare('select n, seq from sessions where id = ?')
  const insertEvent = db.prepare('insert into events (session, seq, at, type, body) values (?, ?, ?, ?, ?)')
  const advance = db.prepare('update sessions set seq = ?, updated_at = ?, bytes = bytes + ? where n = ?')
  const charge = db.prepare(
    `insert into charges (peer_id, session, bytes) values (?, ?, ?)
     on conflict (session, peer_id) do update set bytes = bytes + excluded.bytes`,
  )
  const applyEffect = createEffects(db)
  const ranges = createRanges(db)

  const find = (id: string): { n: number; seq: number } => {
    const row = place.get(id)
    if (!row) throw new AppError('not_found', `no session ${id}`, { hint: 'see: qmtcode sessions' })
    return { n: Number(row['n']), seq: Number(row['seq']) }
  }
  const write = ({ n, seq }: { n: number; seq: number }, events: readonly StoredEvent[], payer?: PeerId): number => {
    const bytes = bytesOf(events)
    let head = seq
    for (const event of events) {
      head += 1
      insertEvent.run(n, head, event.at, event.type, event.body)
      if (event.effect) applyEffect(n, head, event.effect)
    }
    advance.run(head, events.at(-1)?.at ?? 0, bytes, n)
    if (payer !== undefined) charge.run(payer, n, bytes)
    return seq + 1
  }

  const sessions = createSessionMethods(db, (n, event, payer) => write({ n, seq: 0 }, [event], payer))
  return {
    ...sessions,
    ...createReads(db, { ranges, find }),
    ...createForks(db, { ranges, find, write, create: sessions.create }),
    append: (id, events, payer) => (events.length === 0 ? find(id).seq + 1 : write(find(id), events, payer)),
    ...createRemove(db, { ranges, find }),
  }
}

function createSessionMethods(
  db: DatabaseSync,
  writeFirst: (n: number, event: StoredEvent, payer?: PeerId) => number,
): Pick<StoreMethods, 'create' | 'session' | 'list' | 'unfinished'> {
  const insert = db.prepare(
    `insert into sessions (id, title, agent, model, mode, workspace, private, unattended, allow, author, created_at, updated_at, seq)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
  )
  const columns = `select *, (select json_group_array(json_object('peerId', peer_id, 'node', node, 'rights', json(rights)))
     from shares where session = n) as shares from sessions`
  const one = db.prepare(`${columns} where id = ?`)
  const page = db.prepare(`${columns} where n < ? order by n desc limit ?`)
  const openTurns = db.prepare('select id, turn_seq as seq from sessions where turn_seq is not null order by n')
  const queues = db.prepare(
    `select distinct s.id from prompts p join sessions s on s.n = p.session
     where p.queued = 1 and s.turn_seq is null and s.interrupted is null and s.closed = 0 order by s.n`,
  )
  return {
    create: (row, event, payer) => {
      if (one.get(row.id)) throw new AppError('conflict', `session ${row.id} exists already`)
      const flags = [Number(row.private), Number(row.unattended), JSON.stringify(row.allow), JSON.stringify(row.author)]
      const names = [row.id, row.title, row.agent, row.model ?? null, row.mode, row.workspace]
      const { lastInsertRowid } = insert.run(...names, ...flags, row.createdAt, row.createdAt)
      return writeFirst(Number(lastInsertRowid), event, payer)
    },
    session: (id) => {
      const row = one.get(id)
      return row && toSessionRow(row)
    },
    list: ({ before, limit }) => {
      const found = page.all(before ?? Number.MAX_SAFE_INTEGER, limit + 1)
      const last = found.length > limit ? found[limit - 1] : undefined
      return { rows: found.slice(0, limit).map(toSessionRow), next: last && Number(last['n']) }
    },
    unfinished: () => ({
      turns: openTurns.all().map((row) => ({ id: text(row, 'id') as SessionId, seq: Number(row['seq']) })),
      queues: queues.all().map((row) => text(row, 'id') as SessionId),
    }),
  }
}

type Reads = Pick<StoreMethods, 'read' | 'readBack' | 'receipt' | 'prompt' | 'queued' | 'answer'>

function createReads(db: DatabaseSync, { ranges, find }: { ranges: Ranges; find(id: string): { n: number } }): Reads {
  const columns = 'select e.seq, e.at, e.type, e.body from events e'
  const forward = db.prepare(`${columns} where session = ? and seq between ? and ? order by seq`)
  const backward = db.prepare(`${columns} where session = ? and seq between ? and ? order by seq desc`)
  const receipt = db.prepare('select seq, position from prompts where session = ? and prompt_id = ? and seq between ? and ?')
  const prompt = db.prepare(
    `${columns} join prompts p on p.session = e.session and p.seq = e.seq where p.session = ? and p.prompt_id = ? and p.seq between ? and ?`,
  )
  const queued = db.prepare(
    `select p.prompt_id, json_extract(e.body, '$.author') as author from events e join prompts p on p.session = e.session and p.seq = e.seq
     where p.session = ? and p.queued = 1 order by p.seq`,
  )
  const answer = db.prepare(
    `${columns} where session = ? and type = 'permission.answered' and json_extract(body, '$.id') = ? and seq between ? and ?`,
  )
  // Without an index: few are kept in a session, and it is asked only for an id that is not open.
  const reply = db.prepare(
    `${columns} where session = ? and type = 'question.answered' and json_extract(body, '$.id') = ? and seq between ? and ?`,
  )
  const first = (id: string, statements: StatementSync[], key: string): Row | undefined => {
    for (const { n, from, to } of ranges.of(find(id).n).toReversed()) {
      for (const statement of statements) {
        const row = statement.get(n, key, from, to)
        if (row) return row
      }
    }
    return undefined
  }
  function* rowsAfter(id: string, after: number): Generator<Row> {
    for (const { n, from, to } of ranges.of(find(id).n)) if (to > after) yield* forward.iterate(n, Math.max(from, after + 1), to)
  }
  function* rowsBefore(id: string, before: number): Generator<Row> {
    for (const { n, from, to } of ranges.of(find(id).n).toReversed()) {
      if (from < before) yield* backward.iterate(n, from, Math.min(to, before - 1))
    }
  }
  return {
    read: (id, { after, limit }) => readPage(rowsAfter(id, after), limit).records,
    readBack: (id, { before, limit }) => {
      const { records, more } = readPage(rowsBefore(id, before), limit)
      return { records: records.toReversed(), more }
    },
    receipt: (id, promptId) => {
      const row = first(id, [receipt], promptId)
      return row && { promptId: promptId as PromptId, seq: Number(row['seq']), position: Number(row['position']) }
    },
    prompt: (id, promptId) => {
      const row = first(id, [prompt], promptId)
      return row && toRecord(row)
    },
    queued: (id) => queued.all(find(id).n).map(toQueuedPrompt),
    answer: (id, requestId) => {
      const row = first(id, [answer, reply], requestId)
      return row && toRecord(row)
    },
  }
}
