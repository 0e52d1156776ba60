import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { newSessionId, silentLogger } from '@qmtcode/protocol'
import type { SessionId, SessionInfo } from '@qmtcode/protocol'
import { createOwnRows } from './own-rows.ts'

const infoOf = (id: SessionId, seq: number): SessionInfo => ({
  id,
  title: 'a title',
  agent: 'main',
  mode: 'build',
  node: 'laptop',
  state: 'running',
  workspace: '/work',
  private: false,
  createdAt: 0,
  updatedAt: 0,
  seq,
  followers: [],
})

test('a session that is written to all the time is told of 4 times a second, the last of it too', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  let seq = 0
  const id = newSessionId()
  const told: { at: number; seq: number | undefined }[] = []
  const own = createOwnRows({ clock: { now: () => now, monotonic: () => now }, logger: silentLogger })
  own.onChange((changed) => told.push({ at: now, seq: own.get(changed)?.seq }))
  const passes = async (ms: number): Promise<void> => {
    now += ms
    context.mock.timers.tick(ms)
    await turnOfLoop()
  }
  await own.start({ get: async () => infoOf(id, seq), list: async () => ({ items: [] }) })
  for (let written = 0; written < 200; written += 1) {
    seq += 1
    own.touch(id)
    await passes(10)
  }
  await passes(250)
  await own.stop()
  assert.equal(told.at(-1)?.seq, 200)
  assert.ok(told.length >= 8 && told.length <= 9, `${told.length} in 2.25 s`)
  for (const [index, { at }] of told.entries()) assert.ok(index === 0 || at - (told[index - 1]?.at ?? 0) >= 250)
})
