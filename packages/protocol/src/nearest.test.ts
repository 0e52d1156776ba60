import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, nearest } from './nearest.ts'

for (const [written, candidates, meant] of [
  ['olama', ['openai', 'ollama'], 'ollama'],
  ['tpc', ['udp', 'tcp'], 'tcp'], // neighbours in the wrong order are one mistake
  ['nodename', ['node_name', 'name'], 'node_name'],
  ['x', ['y'], undefined], // one letter is like any other
  ['planner', ['tools'], undefined],
] as const) {
  test(`${written} is nearest to ${meant ?? 'nothing'} of ${candidates.join(', ')}`, () =>
    assert.equal(nearest(written, candidates), meant))
}

test('a question, with its space, or nothing', () => {
  assert.equal(didYouMean('openia', ['openai']), ' (did you mean "openai"?)')
  assert.equal(didYouMean('z9', ['openai']), '')
})
