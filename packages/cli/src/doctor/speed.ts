import type { PeerDiagnosis } from '@qmtcode/protocol'
import { advice, config, ok, warning } from './check.ts'
import type { Check } from './check.ts'

const AREA = 'Speed'
/** A person notices it before the first word of an answer. */
const SLOW_MS = 150
/** A model's words need a few kB/s; files and long conversations need more. */
const NARROW_BYTES_PER_SEC = 250_000
const SPREAD = 5

export function speedChecks(peer: PeerDiagnosis): Check[] {
  return [...pingChecks(peer), ...bandwidthChecks(peer)]
}

function pingChecks({ pings, name }: PeerDiagnosis): Check[] {
  if (!pings) return []
  const sorted = pings.roundTripsMs.toSorted((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  const median = sorted[Math.floor(sorted.length / 2)]
  if (min === undefined || max === undefined || median === undefined) {
    return [warning(AREA, 'round-trip', `none of ${pings.sent} pings came back`, [advice('the link is cut or very slow: see Connection')])]
  }
  const text = `round trip ${ms(min)} / ${ms(median)} / ${ms(max)} (least, median, most of ${sorted.length})`
  if (sorted.length < pings.sent)
    return [warning(AREA, 'round-trip', `${text}; ${pings.sent - sorted.length} of ${pings.sent} did not come back in time`, slow(name))]
  if (median > SLOW_MS) return [warning(AREA, 'round-trip', `${text}: slow`, slow(name))]
  if (max > SLOW_MS && max > SPREAD * median)
    return [warning(AREA, 'round-trip', `${text}: uneven, so packets are lost or a machine is busy`, slow(name))]
  return [ok(AREA, 'round-trip', text)]
}

const slow = (name: string) => [
  advice(`use a node that is nearer, or a cable instead of radio between here and ${name}`),
  config('request_timeout_secs = 600 # in [[mesh.peers]], for slow calls'),
]

function bandwidthChecks({ bandwidth, name }: PeerDiagnosis): Check[] {
  if (!bandwidth) return []
  const { downBytesPerSec: down, upBytesPerSec: up, problem: why } = bandwidth
  if (why !== undefined) return [ok(AREA, 'bandwidth', `not measured: ${why}`)]
  const text = `${rate(down)} from ${name}, ${rate(up)} to it (a short try, at least that much)`
  if ([down, up].some((each) => each === undefined || each < NARROW_BYTES_PER_SEC)) {
    return [
      warning(AREA, 'bandwidth', `${text}: narrow`, [advice('what else uses the line? a relayed link or a VPN may be the narrow part')]),
    ]
  }
  return [ok(AREA, 'bandwidth', text)]
}

const ms = (value: number): string => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`)

function rate(bytesPerSec: number | undefined): string {
  if (bytesPerSec === undefined) return 'hardly anything'
  return bytesPerSec >= 1_000_000 ? `${(bytesPerSec / 1_000_000).toFixed(1)} MB/s` : `${Math.round(bytesPerSec / 1_000)} kB/s`
}
