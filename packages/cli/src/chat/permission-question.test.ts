import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PermissionAnswer, SessionEvent } from '@qmtcode/protocol'
import { permissionQuestion } from './permission-question.ts'

type Asked = Extract<SessionEvent, { type: 'permission.requested' }>

const asked = (more: Partial<Asked>): Asked => ({ id: 'ask_x', tool: 'shell', ...more }) as Asked

test('a question that is for the host’s person alone has no "for the session"', async () => {
  const given: PermissionAnswer[] = []
  const answer = async ({ answer: one }: { answer: PermissionAnswer }) => void given.push(one)
  const reserved = permissionQuestion(asked({ reserved: true }), answer)
  assert.deepEqual(reserved.prompt, { asked: 'allow shell? ', keys: 'y once · n no' })
  for (const word of ['a', 'always', 'A ']) assert.equal(reserved.take(word), 'y or n')
  const own = permissionQuestion(asked({}), answer)
  assert.match(own.prompt.keys, /a this command in this session/)
  assert.match(permissionQuestion(asked({ tool: 'edit' }), answer).prompt.keys, /a always in this session/)
  for (const question of [own, reserved]) {
    const act = question.take('y')
    assert.ok(typeof act === 'function')
    await act()
  }
  const always = own.take('a')
  assert.ok(typeof always === 'function')
  await always()
  assert.deepEqual(given, ['allow', 'allow', 'allow_session'])
})
