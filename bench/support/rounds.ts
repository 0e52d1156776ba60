import { median, short } from './stats.ts'
import type { Budget, Row } from './bench.ts'

/** `once` of every variant in each round, the order turned round each time: a machine that drifts, drifts for both. */
export async function interleaved<Variant extends string, Result>(
  rounds: number,
  variants: readonly Variant[],
  once: (variant: Variant) => Promise<Result>,
): Promise<Record<Variant, Result>[]> {
  const results: Record<Variant, Result>[] = []
  for (let round = 0; round < rounds; round += 1) {
    const result: Partial<Record<Variant, Result>> = {}
    for (const variant of round % 2 === 0 ? variants : variants.toReversed()) result[variant] = await once(variant)
    results.push(result as Record<Variant, Result>)
  }
  return results
}

export interface RowInit {
  bench: string
  what: string
  unit: string
  budget?: Budget
  note?: string
}

/** A row from one figure per round. */
export const rowOf = (init: RowInit, rounds: readonly number[]): Row => ({ ...init, measured: median(rounds), rounds: [...rounds] })

export const skipped = (init: RowInit, reason: string): Row => ({ ...init, rounds: [], note: reason })

/** `mesh 1.25, direct 0.67`: the medians behind a difference or a ratio. */
export function sides<Variant extends string>(
  results: readonly Record<Variant, unknown>[],
  variants: readonly Variant[],
  pick: (variant: Variant, index: number) => number,
): string {
  return variants.map((variant) => `${variant} ${short(median(results.map((_, index) => pick(variant, index))))}`).join(', ')
}
