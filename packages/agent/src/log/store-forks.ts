import type { DatabaseSync } from 'node:sqlite'
import { AppError } from '@qmtcode/protocol/errors'
import type { PeerId, PromptId } from '@qmtcode/protocol'
import type { Base, Ranges } from './store-ranges.ts'
import { text } from './store-rows.ts'
import type { StoredEvent, StoreMethods } from './types.ts'

interface ForkParts {
  ranges: Ranges
  find(id: string): { n: number; seq: number }
  write(place: { n: number; seq: number }, events: readonly StoredEvent[], payer?: PeerId): number
  create: StoreMethods['create']
}

const MAX_DEPTH = 500 // forks of forks: a read looks at each

/** A fork refers to the events of its source: it takes no room for them, and they never cross to another thread. */
export function createForks(db: DatabaseSync, { ranges, find, write, create }: ForkParts): Pick<StoreMethods, 'fork' | 'openAt'> {
  const begin = db.prepare(
    `update sessions set base = ?, base_seq = ?, seq = ?, bytes = bytes + ?,
       began_at = (select coalesce(began_at, created_at) from sessions where n = ?) where n = ?`,
  )
  const marks = db.prepare(
    `select seq, type, json_extract(body, '$.promptId') as prompt_id from events
     where session = ? and seq between ? and ? and type in ('prompt.accepted', 'prompt.withdrawn', 'turn.started', 'turn.ended') order by seq`,
  )
  const size = db.prepare(
    'select coalesce(sum(octet_length(body) + 100), 0) as bytes from events where session = ? and seq between ? and ?',
  )
  const check = (id: string, at: number): number => {
    const { n, seq } = find(id)
    if (at >= 1 && at <= seq) return n
    throw new AppError('bad_request', `session ${id} has no event ${at}: its last is ${seq}`)
  }
  /** The one that has event `at` itself. */
  const holderOf = (source: number, at: number): Base | undefined => {
    let n = source
    for (let below = ranges.base(n); below && at <= below.seq; below = ranges.base(n)) n = below.n
    return at > 1 ? { n, seq: at } : undefined
  }
  return {
    fork: (source, { at, row, created, closing, payer }) => {
      const from = check(source, at)
      const base = holderOf(from, at)
      const shared = base ? ranges.of(base.n).filter((range) => range.from <= at && range.to > 1) : []
      if (shared.length > MAX_DEPTH) {
        throw new AppError('too_large', `session ${source} is a fork of a fork, ${shared.length} deep; at most ${MAX_DEPTH}`, {
          hint: 'fork a session that it came from',
        })
      }
      create(row, created, payer)
      const { n } = find(row.id)
      const bytes = shared.reduce((sum, range) => sum + Number(size.get(range.n, range.from, Math.min(range.to, at))?.['bytes']), 0)
      begin.run(base?.n ?? null, base?.seq ?? null, at, bytes, from, n)
      if (closing.length > 0) write({ n, seq: at }, closing, payer)
    },
    openAt: (id, at) => {
      const waiting = new Set<PromptId>()
      let turn: number | undefined
      const rows = ranges.of(check(id, at)).flatMap((range) => marks.all(range.n, range.from, Math.min(range.to, at)))
      for (const row of rows) {
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
