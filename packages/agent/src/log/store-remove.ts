import type { DatabaseSync } from 'node:sqlite'
import type { PeerId } from '@qmtcode/protocol'
import type { Ranges } from './store-ranges.ts'
import { toPeerBytes } from './store-rows.ts'
import type { PeerBytes, StoreMethods } from './types.ts'

interface RemoveParts {
  ranges: Ranges
  find(id: string): { n: number }
}

/** What forks share with a session stays when it goes, and no more: the fork that shares most gets it, on its maker's account. */
export function createRemove(db: DatabaseSync, { ranges, find }: RemoveParts): Pick<StoreMethods, 'remove' | 'charges'> {
  const charged = db.prepare('select peer_id, bytes from charges where session = ?')
  const sums = db.prepare('select peer_id, sum(bytes) as bytes from charges group by peer_id')
  const places = ['events where session', 'prompts where session', 'shares where session', 'charges where session', 'sessions where n']
  const statements = places.map((what) => db.prepare(`delete from ${what} = ?`))
  const bequeath = createBequest(db, ranges)
  return {
    remove: (id) => {
      const { n } = find(id)
      const freed = charged.all(n).map(toPeerBytes)
      const heir = bequeath(n)
      for (const statement of statements) statement.run(n)
      return heir ? [...freed, heir] : freed
    },
    charges: () => sums.all().map(toPeerBytes),
  }
}

/** Returns what its maker holds more, as a negative number, if that is a peer. */
function createBequest(db: DatabaseSync, ranges: Ranges): (n: number) => PeerBytes | undefined {
  const mostShared = db.prepare('select n, base_seq as seq from sessions where base = ? order by base_seq desc limit 1')
  const moveEvents = db.prepare('update events set session = ? where session = ? and seq between ? and ?')
  const movePrompts = db.prepare('update or ignore prompts set session = ?, queued = 0 where session = ? and seq between ? and ?')
  const rebase = db.prepare('update sessions set base = ?, base_seq = ? where n = ?')
  const follow = db.prepare('update sessions set base = ? where base = ? and n <> ?')
  const size = db.prepare(
    'select coalesce(sum(octet_length(body) + 100), 0) as bytes from events where session = ? and seq between ? and ?',
  )
  const charge = db.prepare(
    `update charges set bytes = bytes + ? where session = ? and peer_id =
       (select json_extract(author, '$.peerId') from sessions where n = charges.session) returning peer_id`,
  )
  return (n) => {
    const found = mostShared.get(n)
    if (!found) return undefined
    const [heir, last] = [Number(found['n']), Number(found['seq'])]
    const base = ranges.base(n)
    const first = (base?.seq ?? 1) + 1
    const bytes = Number(size.get(n, first, last)?.['bytes'])
    moveEvents.run(heir, n, first, last)
    movePrompts.run(heir, n, first, last)
    rebase.run(base?.n ?? null, base?.seq ?? null, heir)
    follow.run(heir, n, heir)
    const payer = charge.get(bytes, heir)
    return payer && { peerId: payer['peer_id'] as PeerId, bytes: -bytes }
  }
}
