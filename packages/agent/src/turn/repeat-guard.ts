import type { Json } from '@qmtcode/protocol'

const TOLD_AT = 3
export const REPEATED =
  'This same call has now given this same result three times in a row. It will not change: do something else, or say what stops you.'

/** Adds a word to the result when a model goes in circles. */
export function createRepeatGuard(): (call: { name: string; input: Json }, output: string) => string {
  let last = ''
  let times = 0
  return ({ name, input }, output) => {
    const key = JSON.stringify([name, input, output])
    times = key === last ? times + 1 : 1
    last = key
    return times >= TOLD_AT ? `${output}\n[${REPEATED}]` : output
  }
}
