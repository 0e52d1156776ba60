import type { AuditEntry, AuditLine, Clock } from '@qmtcode/protocol'

/** How much of one sort gets a line each; what is more is counted, one line a window. */
interface AuditAllowance {
  /** Lines of one source (a peer, else an address) a window. */
  each: number
  /** Lines of all sources a window. */
  all: number
  windowMs: number
  /** Whether a new window begins with the whole allowance, or only one after a window without floods. */
  isRenewed: boolean
}

/** Strangers decide how often they are refused: ten minutes of it are sixty lines. */
const NOISE: AuditAllowance = { each: 5, all: 20, windowMs: 10_000, isRenewed: false }
const CALLS: AuditAllowance = { each: 200, all: 1_000, windowMs: 10_000, isRenewed: true }
/** What nodes say to each other by themselves, all day. */
const CHATTER: AuditAllowance = { each: 1, all: 100, windowMs: 600_000, isRenewed: false }
/** A person decides, and a mesh of five thousand at most. */
const DECISIONS: AuditAllowance = { each: 50, all: 500, windowMs: 10_000, isRenewed: true }
const CHATTERING = /^(bans|directory|gossip)\./

function allowanceOf({ kind, what, outcome, direction }: AuditEntry): AuditAllowance {
  if (kind === 'call') return CHATTERING.test(what) && (outcome === 'ok' || outcome === 'cancelled') ? CHATTER : CALLS
  return kind === 'trust' || (kind === 'invite' && direction !== 'in') ? DECISIONS : NOISE
}

/** Lets entries through as lines, and makes one line of the many that a flood has. */
export interface AuditSummary {
  add(entry: AuditEntry): void
  /** Says what was counted so far. */
  flush(): void
  stop(): void
}

interface Counted {
  last: AuditEntry
  count: number
  since: number
  bytesIn: number
  bytesOut: number
  sources: Set<string>
}
interface Sort {
  allowance: AuditAllowance
  lines: number
  bySource: Map<string, { lines: number; more?: Counted }>
  /** Of sources that came when `all` was used up. */
  more?: Counted
  endsAt: number
}

const MAX_SOURCES = 1_000
const MAX_SORTS = 500
const TICK_MS = 10_000

export function createAuditSummary(components: { clock: Clock; write(line: AuditLine): void }): AuditSummary {
  const { clock, write } = components
  const sorts = new Map<string, Sort>()
  const timer = setInterval(() => tell(false), TICK_MS).unref()

  const sortOf = (entry: AuditEntry): Sort => {
    const key = sorts.size < MAX_SORTS ? `${entry.kind} ${entry.direction} ${entry.what} ${entry.outcome}` : entry.kind
    const known = sorts.get(key)
    if (known) return known
    const allowance = allowanceOf(entry)
    const made = { allowance, lines: 0, bySource: new Map(), endsAt: clock.monotonic() + allowance.windowMs }
    sorts.set(key, made)
    return made
  }
  const count = (before: Counted | undefined, entry: AuditEntry, source: string): Counted => {
    const counted = before ?? { last: entry, count: 0, since: clock.now(), bytesIn: 0, bytesOut: 0, sources: new Set<string>() }
    counted.last = entry
    counted.count += 1
    counted.bytesIn += entry.bytesIn ?? 0
    counted.bytesOut += entry.bytesOut ?? 0
    if (counted.sources.size < MAX_SOURCES) counted.sources.add(source)
    return counted
  }
  const say = ({ last, count: counted, since, bytesIn, bytesOut, sources }: Counted): void => {
    const { trace: _trace, ms: _ms, ...rest } = last
    const bytes = last.bytesIn === undefined ? {} : { bytesIn, bytesOut }
    write({ at: clock.now(), ...rest, ...bytes, count: counted, since, sources: sources.size })
  }
  function tell(isLast: boolean): void {
    const now = clock.monotonic()
    for (const [key, sort] of sorts) {
      if (!isLast && now < sort.endsAt) continue
      const counted = [...[...sort.bySource.values()].flatMap(({ more }) => more ?? []), ...(sort.more ? [sort.more] : [])]
      for (const more of counted) say(more)
      if (counted.length === 0 || sort.allowance.isRenewed) sorts.delete(key)
      else renew(sort, now)
    }
  }
  /** The flood goes on: whoever has had its lines is only counted, and the table stays as small as it was. */
  function renew(sort: Sort, now: number): void {
    sort.more = undefined
    for (const source of sort.bySource.values()) source.more = undefined
    sort.endsAt = now + sort.allowance.windowMs
  }
  return {
    add(entry) {
      const sort = sortOf(entry)
      const { each, all } = sort.allowance
      const source = entry.peerId ?? entry.address ?? ''
      const known = sort.bySource.get(source)
      if (!known && sort.lines >= all) {
        sort.more = count(sort.more, entry, source)
        return
      }
      const its = known ?? { lines: 0 }
      sort.bySource.set(source, its)
      if (its.lines >= each || sort.lines >= all) {
        its.more = count(its.more, entry, source)
        return
      }
      its.lines += 1
      sort.lines += 1
      write({ at: clock.now(), ...entry })
    },
    flush: () => tell(true),
    stop: () => clearInterval(timer),
  }
}
