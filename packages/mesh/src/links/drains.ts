import type { Connection } from '@libp2p/interface'
import type { PeerId } from '@qmtcode/protocol'
import type { Line, Link } from './link.ts'

/** Gives up lines beside a better one that answers. */
export interface Drains {
  /** The order of the link's lines changed. */
  look(link: Link): void
  leave(line: Line): void
}

const LOOK_MS = 1_000
/** A call that has just begun is not seen yet. */
const LEAST_LOOKS = 3
/** What streams: it is resumed over the better line. */
const MOST_LOOKS = 6
/** A call with one answer, which cannot be resumed; and what the other end should have closed. */
const PATIENT_LOOKS = 60

/**
 * Both ends rank lines, but the smaller id closes: two that see the same lines from different sides of a NAT would close each other's.
 * The larger one does so only if the other has not for a minute.
 */
export function createDrains(
  components: { answersOwed(connection: Connection): number; close(connection: Connection, reason: string): void },
  { self }: { self: PeerId },
): Drains {
  const looks = new WeakMap<Line, number>()

  function leave(line: Line): void {
    clearInterval(line.draining)
    line.draining = undefined
    looks.delete(line)
  }
  function drain(link: Link, line: Line): void {
    const seen = (looks.get(line) ?? 0) + 1
    looks.set(line, seen)
    if (seen < (self < link.peerId ? LEAST_LOOKS : PATIENT_LOOKS)) return
    if (seen < MOST_LOOKS && line.rpc.stats().callsInFlight > 0) return
    if (seen < PATIENT_LOOKS && line.rpc.answersAwaited() + components.answersOwed(line.connection) > 0) return
    components.close(line.connection, 'a better connection replaced it')
  }
  return {
    leave,
    look(link) {
      const [best] = link.lines
      for (const line of link.lines) {
        if (line === best || best?.isSilent !== false) leave(line)
        else line.draining ??= setInterval(() => drain(link, line), LOOK_MS).unref()
      }
    },
  }
}
