import type { DatabaseSync } from 'node:sqlite'
import { AppError } from '@qmtcode/protocol/errors'
import type { PromptId } from '@qmtcode/protocol'
import { text } from './store-rows.ts'
import type { StoredEvent, StoreMethods } from './types.ts'

interface ForkParts {
  find(id: string): { n: number; seq: number }
  write(place: { n: number; seq: number }, events: readonly StoredEvent[]): number
  create: StoreMethods['create']
}

/** Copies within the file: the events of a long session never cross to another thread. */
export function createForks(db: DatabaseSync, { find, write, create }: ForkParts): Pick<StoreMethods, 'fork' | 'openAt'> {
  const copyEvents = db.prepare(
    `insert into events (session, seq, at, type, body)
     select ?, seq, at, type, body from events where session = ? and seq between 2 and ?`,
  )
  const copyPrompts = db.prepare(
    `insert into prompts (session, prompt_id, seq, position, queued)
     select ?, prompt_id, seq, position, 0 from prompts where session = ? and seq <= ?`,
  )
  const begin = db.prepare('update sessions set began_at = (select coalesce(began_at, created_at) from sessions where n = ?) where n = ?')
  const advance = db.prepare('update sessions set seq = ? where n = ?')
  const marks = db.prepare(
    `select seq, type, json_extract(body, '$.promptId') as prompt_id from events
     where session = ? and seq <= ? and type in ('prompt.accepted', 'prompt.withdrawn', 'turn.started', 'turn.ended') order by seq`,
  )
  const check = (id: string, at: number): number => {
    const { n, seq } = find(id)
    if (at >= 1 && at <= seq) return n
    throw new AppError('bad_request', `session ${id} has no event ${at}: its last is ${seq}`)
  }
  return {
    fork: (source, { at, row, created, closing }) => {
      const from = check(source, at)
      create(row, created)
      const { n } = find(row.id)
      begin.run(from, n)
      copyEvents.run(n, from, at)
      copyPrompts.run(n, from, at)
      if (closing.length > 0) write({ n, seq: at }, closing)
      else advance.run(at, n)
    },
    openAt: (id, at) => {
      const waiting = new Set<PromptId>()
      let turn: number | undefined
      for (const row of marks.iterate(check(id, at), at)) {
        const promptId = text(row, 'prompt_id') as PromptId
        const type = text(row, 'type')
        if (type === 'prompt.accepted') waiting.add(promptId)
        else waiting.delete(promptId)
        if (type === 'turn.started') turn = Number(row['seq'])
        if (type === 'turn.ended') turn = undefined
      }
      return { turn, waiting: [...waiting] }
    },
  }
}
