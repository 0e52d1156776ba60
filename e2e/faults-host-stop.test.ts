import assert from 'node:assert/strict'
import process from 'node:process'
import { after, before, test } from 'node:test'
import { isAppError, isDurable, newPromptId } from '@qmtcode/protocol'
import type { PromptId, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import type { ScriptedLlm } from '@qmtcode/testing'
import { startHostAndFollower } from './support/host-and-follower.ts'
import type { HostAndFollower } from './support/host-and-follower.ts'
import { eventsOfType } from './support/output.ts'

/** Beyond the 10 s after which a link that says nothing is closed. */
const SLEEP_MS = Number(process.env['QMT_SLEEP_MS'] ?? 12_000)

let llm: ScriptedLlm
let pair: HostAndFollower
before(async () => {
  const hung = new Set<string>()
  llm = await startScriptedLlm(({ messages = [] }) => {
    const [first] = JSON.stringify(messages.findLast(({ role }) => role === 'user')?.content).match(/hang \w+/) ?? []
    if (first === undefined || hung.has(first)) return [{ text: ['well ', 'said'] }]
    hung.add(first)
    return [{ text: 'begun ' }, { fault: 'hang' }]
  })
  pair = await startHostAndFollower({ url: llm.url })
})
after(async () => {
  await pair[Symbol.asyncDispose]()
  await llm.stop()
})

const say = async (sessions: Sessions, id: SessionId, text: string): Promise<PromptId> =>
  (await sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text }] })).promptId

/** Said again, under the same id, for as long as the host is away. */
async function sayUntilTaken(sessions: Sessions, id: SessionId, text: string): Promise<PromptId> {
  const promptId = newPromptId()
  await eventually('the prompt is taken', async () => {
    try {
      return await sessions.prompt(id, { promptId, content: [{ type: 'text', text }] })
    } catch (error) {
      if (isAppError(error, 'peer_unreachable', 'link_lost')) return undefined
      throw error
    }
  })
  return promptId
}

/** Gathers a follow, and says how it ended. */
function gather(sessions: Sessions, id: SessionId) {
  const seen: SessionEvent[] = []
  const controller = new AbortController()
  const state = { ended: false }
  const owner = (async () => {
    for await (const event of sessions.follow(id, { signal: controller.signal })) seen.push(event)
    state.ended = true
  })()
  owner.catch(() => (state.ended = true))
  const until = (type: SessionEvent['type'], count = 1) =>
    eventually(
      `${count} × ${type}; seen: ${seen.map((event) => event.type).join(', ')}`,
      () => {
        assert.equal(state.ended, false, 'the follow ended')
        return seen.filter((event) => event.type === type).length >= count
      },
      60_000,
    )
  const end = async (): Promise<void> => {
    controller.abort()
    await owner
  }
  return { seen, until, end }
}

const durableOf = (events: readonly SessionEvent[]) => events.filter(isDurable)

test('a host that is stopped is a link that broke: its followers wait, what was queued and said meanwhile goes on', async () => {
  await using there = await pair.openThere()
  const { sessions } = there
  const { id } = await sessions.create({})
  const follow = gather(sessions, id)
  const first = await say(sessions, id, 'hang on')
  const second = await say(sessions, id, 'then this')
  await follow.until('message.delta')
  const { code } = await pair.hostNode.kill('SIGTERM')
  assert.equal(code, 0)
  await follow.until('link.lost')
  const third = sayUntilTaken(sessions, id, 'and this')
  await pair.startHost()
  await follow.until('link.restored')
  await follow.until('turn.ended', 3)
  const state = await sessions.get(id)
  assert.equal(state.state, 'idle')
  const ends = eventsOfType(follow.seen, 'turn.ended').map(({ promptId, stopReason }) => [promptId, stopReason])
  assert.deepEqual(ends, [
    [first, 'interrupted'],
    [second, 'completed'],
    [await third, 'completed'],
  ])
  await follow.end()
  await using here = await pair.openHost()
  assert.deepEqual(durableOf(follow.seen), (await here.sessions.history(id)).items)
})

test('a turn that a stop interrupted is continued by its host: sessions resume', async () => {
  await using there = await pair.openThere()
  const { id } = await there.sessions.create({})
  const follow = gather(there.sessions, id)
  const slow = await say(there.sessions, id, 'hang here')
  const queued = await say(there.sessions, id, 'then this')
  await follow.until('message.delta')
  await pair.hostNode.kill('SIGTERM')
  await pair.startHost()
  await follow.until('link.restored')
  assert.equal((await there.sessions.get(id)).state, 'interrupted')
  const resumed = await pair.host.run(['sessions', 'resume', id])
  assert.equal(resumed.code, 0, resumed.stderr)
  await follow.until('turn.ended', 3)
  assert.deepEqual(
    eventsOfType(follow.seen, 'turn.ended').map(({ promptId, stopReason }) => [promptId, stopReason]),
    [
      [slow, 'interrupted'],
      [slow, 'completed'],
      [queued, 'completed'],
    ],
  )
  await follow.end()
})

test('a turn that a kill of its host interrupted is continued by a follower: sessions resume NODE/ID', async () => {
  await using there = await pair.openThere()
  const { id } = await there.sessions.create({})
  const follow = gather(there.sessions, id)
  const cut = await say(there.sessions, id, 'hang killed')
  await follow.until('message.delta')
  await pair.hostNode.kill('SIGKILL')
  await pair.startHost()
  await follow.until('link.restored')
  const resumed = await pair.follower.run(['sessions', 'resume', `gpu-server/${id}`])
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.match(resumed.stdout, /well said/)
  await follow.until('turn.ended', 2)
  assert.deepEqual(
    eventsOfType(follow.seen, 'turn.ended').map(({ promptId, stopReason }) => [promptId, stopReason]),
    [
      [cut, 'interrupted'],
      [cut, 'completed'],
    ],
  )
  const again = await pair.follower.run(['sessions', 'resume', `gpu-server/${id}`])
  assert.equal(again.code, 1, again.stderr)
  assert.match(again.stderr, /conflict.*no interrupted turn/)
  await follow.end()
  await using here = await pair.openHost()
  assert.deepEqual(durableOf(follow.seen), (await here.sessions.history(id)).items)
})

for (const side of ['host', 'follower'] as const) {
  test(`a ${side} that sleeps for ${SLEEP_MS / 1_000} s: the follow goes on where it was, a prompt sent meanwhile runs once`, async () => {
    await using there = await pair.openThere()
    const { sessions } = there
    const { id } = await sessions.create({})
    const follow = gather(sessions, id)
    await say(sessions, id, 'before')
    await follow.until('turn.ended')
    const sleeper = side === 'host' ? pair.hostNode : pair.followerNode
    sleeper.process.kill('SIGSTOP')
    const meanwhile = say(sessions, id, 'meanwhile')
    await new Promise((resolve) => setTimeout(resolve, SLEEP_MS)) // the sleep is what is tested
    sleeper.process.kill('SIGCONT')
    const promptId = await meanwhile
    await eventually('it ran', () => eventsOfType(follow.seen, 'turn.ended').some((event) => event.promptId === promptId))
    await follow.end()
    await using here = await pair.openHost()
    const { items } = await here.sessions.history(id)
    assert.deepEqual(durableOf(follow.seen), items)
    assert.equal(eventsOfType(items, 'turn.started').filter((event) => event.promptId === promptId).length, 1)
  })
}
