import type { Json } from '@qmtcode/protocol'

const TOLD_AT = 3
const STOPPED_AT = 5
/** Calls of one round: three steps of up to three calls. */
const MAX_CYCLE = 9

export const REPEATED =
  'This same call has now given this same result three times in a row. It will not change: do something else, or say what stops you.'

/** Sees a model that goes in circles: the same calls with the same results, one by one or by turns. */
export interface RepeatGuard {
  /** What the model reads of a result: with a word about the circle from the third round on. */
  note(call: { name: string; input: Json }, output: string): string
  /** After five rounds: the turn ends. */
  isLooping(): boolean
}

export function createRepeatGuard(): RepeatGuard {
  const seen: string[] = []
  let rounds = 0
  return {
    note({ name, input }, output) {
      seen.push(JSON.stringify([name, input, output]))
      if (seen.length > MAX_CYCLE * STOPPED_AT) seen.shift()
      rounds = roundsAtEnd(seen)
      return rounds >= TOLD_AT ? `${output}\n[${REPEATED}]` : output
    },
    isLooping: () => rounds >= STOPPED_AT,
  }
}

/** How often the end of the list repeats, at the most, in cycles of any length. */
function roundsAtEnd(seen: readonly string[]): number {
  let most = 1
  for (let length = 1; length <= MAX_CYCLE && length * 2 <= seen.length; length += 1) most = Math.max(most, roundsOf(seen, length))
  return most
}

function roundsOf(seen: readonly string[], length: number): number {
  let same = 0
  while (same + length < seen.length && seen.at(-1 - same) === seen.at(-1 - same - length)) same += 1
  return 1 + Math.floor(same / length)
}
