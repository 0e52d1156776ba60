import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError, silentLogger } from '@qmtcode/protocol'
import type { Clock } from '@qmtcode/protocol'
import { createKnownModels } from './agent-models.ts'
import type { AgentSession } from './agent-session.ts'
import { startForeignKit } from './foreign-kit.ts'
import type { AgentSettings } from './settings.ts'

const settings: AgentSettings = {
  configOptions: [
    {
      id: 'llm',
      name: 'Model',
      category: 'model',
      type: 'select',
      currentValue: 'small',
      options: [{ group: 'all', name: 'All', options: ['small', 'x'.repeat(400)].map((value) => ({ value, name: value.toUpperCase() })) }],
    },
  ],
}
const agent = { id: 'coder', command: ['coder'], idleMs: 1 }

/** A book with a clock of its own, and an agent that is `asked` each time somebody looks. */
function startBook(open: () => Promise<AgentSettings>) {
  const counts = { asked: 0, discarded: 0, stopped: 0, now: 0 }
  const clock: Clock = { now: () => counts.now, monotonic: () => counts.now }
  const session = (told: AgentSettings): AgentSession =>
    ({
      settings: told,
      discard: async () => void (counts.discarded += 1),
      stop: async () => void (counts.stopped += 1),
    }) as unknown as AgentSession
  const opened = async (): Promise<AgentSession> => {
    counts.asked += 1
    return session(await open())
  }
  return { counts, known: createKnownModels({ agents: [agent], open: opened, clock, log: silentLogger }) }
}

test('an agent is asked once for all who want to know, and again when its word is old; its empty session goes', async () => {
  const { counts, known } = startBook(() => Promise.resolve(settings))
  const query = { workspace: '/work' }
  const answers = await Promise.all([known.of(query), known.of(query), known.of({ agent: 'coder', ...query })])
  for (const answer of answers)
    assert.deepEqual(answer, [{ agent: 'coder', models: [{ id: 'coder/small', name: 'SMALL' }], current: 'coder/small' }])
  assert.deepEqual(counts, { asked: 1, discarded: 1, stopped: 1, now: 0 })
  await known.of({ workspace: '/elsewhere' })
  assert.equal(counts.asked, 2)
  counts.now = 700_000
  await known.of(query)
  assert.equal(counts.asked, 3)
  known.learn(agent, '/work', {})
  assert.deepEqual(await known.of(query), [{ agent: 'coder', models: [] }])
  assert.deepEqual(await known.of({ agent: 'other', ...query }), [])
})

test('an agent that cannot be asked says why, and is asked again soon', async () => {
  let isThere = false
  const { counts, known } = startBook(async () => {
    if (isThere) return settings
    throw new AppError('bad_config', 'there is no command coder', { hint: 'install it' })
  })
  assert.deepEqual(await known.of({ workspace: '/work' }), [
    { agent: 'coder', models: [], problem: 'there is no command coder; install it', code: 'bad_config' },
  ])
  isThere = true
  await known.of({ workspace: '/work' })
  assert.equal(counts.asked, 1)
  counts.now = 20_000
  assert.equal((await known.of({ workspace: '/work' }))[0]?.problem, undefined)
})

test('a real one tells its models, and none of its processes outlives the stop', async () => {
  await using kit = await startForeignKit()
  const [told] = await kit.agents.models({ workspace: kit.workspace })
  assert.deepEqual(told?.models, [
    { id: 'coder/small', name: 'SMALL' },
    { id: 'coder/large', name: 'LARGE' },
  ])
  await kit.agents.stop()
  const [late] = await kit.agents.models({ workspace: '/' })
  assert.match(late?.problem ?? '', /this node is stopping/)
})
