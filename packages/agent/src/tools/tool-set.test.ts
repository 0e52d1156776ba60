import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BUILT_IN_TOOLS } from './names.ts'
import { createTools } from './tool-set.ts'

test('the names that a configuration may use are the names of the tools', () => {
  const names = createTools({ env: {} }, { qmtHome: '/nowhere' }).all.map(({ name }) => name)
  assert.deepEqual(names, BUILT_IN_TOOLS)
})
