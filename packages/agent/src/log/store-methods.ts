import type { DatabaseSync } from 'node:sqlite'
import { AppError } from '@qmtcode/protocol/errors'
import type { PromptId, SessionId } from '@qmtcode/protocol'
import { createEffects } from './store-effects.ts'
import { createForks } from './store-forks.ts'
import { readPage, text, toQueuedPrompt, toRecord, toSessionRow } from './store-rows.ts'
import type { StoredEvent, StoreMethods } from './types.ts'

/** The prepared statements behind StoreMethods. */
export function createStoreMethods(db: DatabaseSync): StoreMethods {
  const place = db.prepare('select n, seq from sessions where id = ?')
  const insertEvent = db.prepare('insert into events (session, seq, at, type, body) values (?, ?, ?, ?, ?)')
  const advance = db.prepare('update sessions set seq = ?, updated_at = ? where n = ?')
  const applyEffect = createEffects(db)

  const find = (id: string): { n: number; seq: number } => {
    const row = place.get(id)
    if (!row) throw new AppError('not_found', `no session ${id}`, { hint: 'see: qmtcode sessions' })
    return { n: Number(row['n']), seq: Number(row['seq']) }
  }
  const write = ({ n, seq }: { n: number; seq: number }, events: readonly StoredEvent[]): number => {
    let head = seq
    for (const event of events) {
      head += 1
      insertEvent.run(n, head, event.at, event.type, event.body)
      if (event.effect) applyEffect(n, head, event.effect)
    }
    advance.run(head, events.at(-1)?.at ?? 0, n)
    return seq + 1
  }

  const sessions = createSessionMethods(db, (n, event) => write({ n, seq: 0 }, [event]))
  return {
    ...sessions,
    ...createReads(db, find),
    ...createForks(db, { find, write, create: sessions.create }),
    append: (id, events) => (events.length === 0 ? find(id).seq + 1 : write(find(id), events)),
    remove: createRemove(db, find),
  }
}

function createRemove(db: DatabaseSync, find: (id: string) => { n: number }): StoreMethods['remove'] {
  const statements = ['events where session', 'prompts where session', 'shares where session', 'sessions where n'].map((what) =>
    db.prepare(`delete from ${what} = ?`),
  )
  return (id) => {
    const { n } = find(id)
    for (const statement of statements) statement.run(n)
  }
}

function createSessionMethods(
  db: DatabaseSync,
  writeFirst: (n: number, event: StoredEvent) => number,
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
    create: (row, event) => {
      if (one.get(row.id)) throw new AppError('conflict', `session ${row.id} exists already`)
      const flags = [Number(row.private), Number(row.unattended), JSON.stringify(row.allow), JSON.stringify(row.author)]
      const names = [row.id, row.title, row.agent, row.model ?? null, row.mode, row.workspace]
      const { lastInsertRowid } = insert.run(...names, ...flags, row.createdAt, row.createdAt)
      return writeFirst(Number(lastInsertRowid), event)
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

function createReads(
  db: DatabaseSync,
  find: (id: string) => { n: number },
): Pick<StoreMethods, 'read' | 'readBack' | 'receipt' | 'prompt' | 'queued' | 'answer'> {
  const columns = 'select e.seq, e.at, e.type, e.body from events e'
  const forward = db.prepare(`${columns} where session = ? and seq > ? order by seq limit ?`)
  const backward = db.prepare(`${columns} where session = ? and seq < ? order by seq desc limit ?`)
  const receipt = db.prepare('select seq, position from prompts where session = ? and prompt_id = ?')
  const prompt = db.prepare(`${columns} join prompts p on p.session = e.session and p.seq = e.seq where p.session = ? and p.prompt_id = ?`)
  const queued = db.prepare(
    `select p.prompt_id, json_extract(e.body, '$.author') as author from events e join prompts p on p.session = e.session and p.seq = e.seq
     where p.session = ? and p.queued = 1 order by p.seq`,
  )
  const answer = db.prepare(`${columns} where session = ? and type = 'permission.answered' and json_extract(body, '$.id') = ?`)
  // Without an index: few are kept in a session, and it is asked only for an id that is not open.
  const reply = db.prepare(`${columns} where session = ? and type = 'question.answered' and json_extract(body, '$.id') = ?`)
  return {
    read: (id, { after, limit }) => readPage(forward.iterate(find(id).n, after, limit)).records,
    readBack: (id, { before, limit }) => {
      const { records, more } = readPage(backward.iterate(find(id).n, before, limit + 1), limit)
      return { records: records.toReversed(), more }
    },
    receipt: (id, promptId) => {
      const row = receipt.get(find(id).n, promptId)
      return row && { promptId: promptId as PromptId, seq: Number(row['seq']), position: Number(row['position']) }
    },
    prompt: (id, promptId) => {
      const row = prompt.get(find(id).n, promptId)
      return row && toRecord(row)
    },
    queued: (id) => queued.all(find(id).n).map(toQueuedPrompt),
    answer: (id, requestId) => {
      const { n } = find(id)
      const row = answer.get(n, requestId) ?? reply.get(n, requestId)
      return row && toRecord(row)
    },
  }
}
