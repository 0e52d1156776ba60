import type { DatabaseSync } from 'node:sqlite'

/** Events `from` to `to` of a session, kept as rows of session `n`. */
interface Range {
  n: number
  from: number
  to: number
}

/** The session that a fork shares events with, and the last one that it shares. */
export interface Base {
  n: number
  seq: number
}

/** Where the events of a session lie. */
export interface Ranges {
  /** In order. A fork has its first and its last ones itself; those between are its bases'. */
  of(n: number): Range[]
  base(n: number): Base | undefined
}

export function createRanges(db: DatabaseSync): Ranges {
  const select = db.prepare('select base, base_seq from sessions where n = ?')
  const base = (n: number): Base | undefined => {
    const row = select.get(n)
    return row?.['base'] == null ? undefined : { n: Number(row['base']), seq: Number(row['base_seq']) }
  }
  return {
    base,
    of: (n) => {
      const ranges: Range[] = []
      let to = Number.MAX_SAFE_INTEGER
      let holder: number | undefined = n
      while (holder !== undefined) {
        const below = base(holder)
        const seq = below?.seq ?? 1
        ranges.push({ n: holder, from: seq + 1, to })
        to = seq
        holder = below?.n
      }
      return [...ranges, { n, from: 1, to: 1 }].toReversed()
    },
  }
}
