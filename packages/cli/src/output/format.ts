import { isoTime } from '@qmtcode/protocol'

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
]

/** `just now`, `3 min ago`, `2 d ago`; a date beyond thirty days. */
export function ago(at: number, now: number): string {
  const elapsed = now - at
  if (elapsed < 5_000) return 'just now'
  if (elapsed > 30 * 86_400_000) return isoTime(at).slice(0, 10)
  const [unit, size] = UNITS.find(([, size]) => elapsed >= size) ?? ['s', 1_000]
  return `${Math.floor(elapsed / size)} ${unit} ago`
}

/** `12 ms`, `3.4 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`
}

/** `45 min`, `24 h`, `30 days`: a time to come, about. */
export function span(ms: number): string {
  if (ms < 90_000) return duration(ms)
  if (ms < 2 * 3_600_000) return `${Math.round(ms / 60_000)} min`
  return ms < 3 * 86_400_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`
}

const COMMON_START = '12D3KooW' // every ed25519 peer id begins so
const MIN_AFTER_START = 6

/** Beginnings of peer ids that name one each, as `peers.resolve` takes them: the common start and six characters or more. */
export function shortPeerIds(peerIds: readonly string[]): Map<string, string> {
  const unique = [...new Set(peerIds)]
  return new Map(unique.map((peerId) => [peerId, shortest(peerId, unique)]))
}

function shortest(peerId: string, all: readonly string[]): string {
  let length = (peerId.startsWith(COMMON_START) ? COMMON_START.length : 0) + MIN_AFTER_START
  while (length < peerId.length && all.some((other) => other !== peerId && other.startsWith(peerId.slice(0, length)))) length += 1
  return peerId.slice(0, length)
}
