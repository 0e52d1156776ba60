import type { Children } from './children.ts'

/** One subject of the table. Measures in interleaved rounds and answers with its rows. */
export interface Bench {
  name: string
  run(context: BenchContext): Promise<Row[]>
}

export interface BenchContext {
  children: Children
  /** Interleaved rounds of each comparison; at least 3. */
  rounds: number
  /** A directory of this bench's own, removed after it. */
  directory: string
  /** Progress, for the person who waits. */
  say(line: string): void
}

export interface Row {
  bench: string
  what: string
  unit: string
  /** Absent: an extra row, for information. */
  budget?: Budget
  /** Median of the rounds; absent: skipped. */
  measured?: number
  /** What each round gave, in order. */
  rounds: number[]
  /** The figures behind the row, or why it was skipped or failed. */
  note?: string
  failed?: boolean
}

export type Budget = { atMost: number } | { atLeast: number }
export type Verdict = 'met' | 'missed' | 'skipped' | 'failed' | '–'

export function verdictOf({ measured, budget, failed }: Row): Verdict {
  if (failed === true) return 'failed'
  if (measured === undefined) return 'skipped'
  if (!budget) return '–'
  return ('atMost' in budget ? measured <= budget.atMost : measured >= budget.atLeast) ? 'met' : 'missed'
}
