import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import type { DurableEvent, PromptId, SessionId, Sessions } from '@qmtcode/protocol'
import { waitingPrompts, withdraw } from './waiting-prompts.ts'

const ID = 'ses_1' as SessionId

/** A session whose queue a test fills; what is cancelled is noted. */
function queue() {
  const items: DurableEvent[] = []
  const cancelled: (PromptId | undefined)[] = []
  const add = (event: object): void => {
    items.push({ ...event, seq: items.length + 1, at: 0, sessionId: ID } as DurableEvent)
  }
  const sessions: Pick<Sessions, 'history' | 'cancel'> = {
    history: async () => ({ items }),
    cancel: async (_, promptId) => {
      cancelled.push(promptId)
    },
  }
  return {
    sessions,
    cancelled,
    accept: (promptId: string) =>
      add({ type: 'prompt.accepted', promptId, author: { node: 'desk' }, content: [{ type: 'text', text: promptId }], position: 1 }),
    begin: (promptId: string) => add({ type: 'turn.started', promptId, turnId: `t_${promptId}` }),
  }
}

test('a number means the list that was shown, until none of that waits any more', async () => {
  const { sessions, cancelled, accept, begin } = queue()
  for (const prompt of ['a', 'b', 'c']) accept(prompt)
  const shown = await waitingPrompts(sessions, ID)
  begin('a')
  await assert.rejects(withdraw(sessions, ID, { number: '1', shown }), (error) => isAppError(error, 'conflict'))
  assert.equal((await withdraw(sessions, ID, { number: '2', shown })).text, 'b') // though it is the first by now
  begin('b')
  begin('c')
  accept('d')
  assert.equal((await withdraw(sessions, ID, { number: '1', shown })).text, 'd')
  await assert.rejects(withdraw(sessions, ID, { number: '2' }), (error) => isAppError(error, 'bad_request'))
  assert.deepEqual(cancelled, ['b', 'd'])
})
