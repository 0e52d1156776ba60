import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SessionEvent } from '@qmtcode/protocol'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import { startHostAndFollower } from './support/host-and-follower.ts'

test('who follows over a link that breaks never left: only when the follower says it goes is that told', async () => {
  await using llm = await startScriptedLlm(() => [{ text: 'hello' }])
  await using pair = await startHostAndFollower({ url: llm.url })
  await using here = await pair.openHost()
  const first = await pair.openThere()
  const { id } = await first.sessions.create({})
  const told: number[] = []
  const leave = new AbortController()
  const watching = (async () => {
    for await (const event of here.sessions.follow(id, { signal: leave.signal }))
      if (event.type === 'presence.changed') told.push(event.present.length)
  })()
  const heard = (sessions: typeof first.sessions, seen: SessionEvent[], signal?: AbortSignal) =>
    (async () => {
      for await (const event of sessions.follow(id, { signal })) seen.push(event)
    })()
  const before: SessionEvent[] = []
  const cut = heard(first.sessions, before)
  cut.catch(() => {}) // its node is killed
  await eventually('both are here', () => told.at(-1) === 2)
  await pair.followerNode.kill('SIGKILL')
  await cut.catch(() => {})
  await first[Symbol.asyncDispose]()
  await pair.startFollower()
  await using again = await pair.openThere()
  assert.equal((await here.sessions.presence(id)).length, 2)
  const after: SessionEvent[] = []
  const goes = new AbortController()
  const following = heard(again.sessions, after, goes.signal)
  await eventually('it follows again', () => after.length > 0)
  goes.abort()
  await following
  await eventually('it left', () => told.at(-1) === 1)
  assert.deepEqual(
    told.filter((count, at) => count !== told[at - 1]),
    told[0] === 1 ? [1, 2, 1] : [2, 1],
  )
  leave.abort()
  await watching
})
