import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import type { Author, PeerId } from '@qmtcode/protocol'
import { createPermissions } from '../permissions/permissions.ts'
import { createTurnRights } from './turn-rights.ts'

const by: Author = { node: 'bob', peerId: 'bob' as PeerId }
const command = { tool: 'shell', permission: 'shell' as const, command: 'make' }
const none = {
  allow: [],
  granted: [],
  root: '/work',
  others: { found: () => Promise.resolve({ isInContext: false, unseen: [] }), approve: () => Promise.resolve() },
  confinement: { kind: 'sandbox' as const, wrap: <T>(one: T) => Promise.resolve(one), network: true },
}

test('rights are judged at each use: an answer for the session counts as long as whoever gave it may answer', async () => {
  let mayBobAnswer = true
  const turn = {
    assertAllowed: () => Promise.resolve(),
    mayAnswer: (author: Author) => Promise.resolve(author.peerId !== by.peerId || mayBobAnswer),
  }
  const early = createTurnRights({ turn, permissions: createPermissions() }, { ...none, granted: [{ subject: command, by }] })
  const late = createTurnRights({ turn, permissions: createPermissions() }, none)
  late.add({ subject: command, by })
  for (const rights of [early, late]) {
    mayBobAnswer = true
    assert.equal((await rights.now()).decide(command).action, 'allow')
    mayBobAnswer = false
    assert.equal((await rights.now()).decide(command).action, 'ask')
    rights.add({ subject: command, by: { node: 'here', user: 'person' } })
    assert.equal((await rights.now()).decide(command).action, 'allow')
  }
})

test('rights are judged at each use: a turn that may not go on has none', async () => {
  const refused = new AppError('forbidden', 'the share was taken')
  const turn = { assertAllowed: () => Promise.reject(refused), mayAnswer: () => Promise.resolve(true) }
  const rights = createTurnRights({ turn, permissions: createPermissions() }, { ...none, allow: ['shell'] })
  await assert.rejects(rights.now(), refused)
})
