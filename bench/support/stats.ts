/** The value below which `share` (0…1) of the samples lie; nearest rank. NaN without samples. */
function percentile(samples: readonly number[], share: number): number {
  const sorted = Float64Array.from(samples).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5)

/** What a window of calls looked like, in milliseconds. */
export interface Latency {
  count: number
  p50: number
  p99: number
}

export const latencyOf = (samples: readonly number[]): Latency => ({
  count: samples.length,
  p50: median(samples),
  p99: percentile(samples, 0.99),
})

/** Three significant digits: what is beyond them drifts from run to run. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '?'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}
