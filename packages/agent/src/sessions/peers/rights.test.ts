import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RIGHTS, ROLES, expandRights, isAppError, newPromptId } from '@qmtcode/protocol'
import type { Right, Role, SessionId, Sessions } from '@qmtcode/protocol'
import { ALICE, BOB, startPeersKit, tell } from './peers-kit.ts'
import type { PeersKit } from './peers-kit.ts'
import { NEEDS } from './rights.ts'

type Method = keyof typeof NEEDS

/** One harmless call of each method. */
const calls: Record<Method, (sessions: Sessions, id: SessionId) => Promise<unknown>> = {
  get: (sessions, id) => sessions.get(id),
  history: (sessions, id) => sessions.history(id),
  follow: async (sessions, id) => {
    for await (const _ of sessions.follow(id)) return
  },
  prompt: (sessions, id) => tell(sessions, id, 'hello'),
  answer: (sessions, id) => sessions.answer(id, { id: 'none', answer: 'allow' }),
  reply: (sessions, id) => sessions.answer(id, { id: 'none', answer: { choices: [], text: 'yes' } }),
  cancel: (sessions, id) => sessions.cancel(id, newPromptId()),
  resume: (sessions, id) => sessions.resume(id),
  configure: (sessions, id) => sessions.configure(id, { title: 'x' }),
  fork: (sessions, id) => sessions.fork(id),
  listFiles: (sessions, id) => sessions.listFiles(id),
  readFile: (sessions, id) => sessions.readFile(id, 'a.txt'),
  presence: (sessions, id) => sessions.presence(id),
  share: (sessions, id) => sessions.share(id, { peerId: BOB, node: 'bob', rights: ['observe'] }),
  unshare: (sessions, id) => sessions.unshare(id, BOB),
  close: (sessions, id) => sessions.close(id),
  delete: (sessions, id) => sessions.delete(id),
}

const GIVEN = [undefined, ...RIGHTS, 'creator'] as const
type Given = (typeof GIVEN)[number]

/** The rules once more, in other words than the code's. */
function expected(
  method: Method,
  given: Given,
  { role, observesAll }: { role: Role; observesAll: boolean },
): 'allowed' | 'forbidden' | 'not_found' {
  if (method === 'fork' && role === 'observer') return given ? 'forbidden' : 'not_found' // it begins a session
  if (given === 'creator' && role !== 'observer') return 'allowed'
  const own = given === 'creator' ? 'observe' : given // of a creator that was lowered
  const rights = expandRights([...(own ? [own] : []), ...(observesAll && role === 'admin' ? ['observe' as const] : [])])
  const seesRow = rights.length > 0 || role === 'member' || role === 'admin' // `sessions = "all"`
  const need = NEEDS[method]
  if (need === 'row') return seesRow ? 'allowed' : 'not_found'
  if (need === 'reply' ? rights.includes('prompt') || rights.includes('approve') : need !== 'owner' && rights.includes(need))
    return 'allowed'
  return seesRow ? 'forbidden' : 'not_found'
}

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'allowed'
  } catch (error) {
    if (isAppError(error, 'forbidden')) return 'forbidden'
    if (isAppError(error, 'not_found') && error.message.includes('given to this node')) return 'not_found'
    if (isAppError(error)) return 'allowed' // to try, that is: there is no such question, nothing to resume
    throw error
  }
}

async function sessionOf(kit: PeersKit, given: Given): Promise<SessionId> {
  const { id } = await kit.peer(given === 'creator' ? BOB : ALICE).create({})
  if (given && given !== 'creator') await kit.peer(ALICE).share(id, { peerId: BOB, node: 'bob', rights: [given] })
  return id
}

const CASES = ROLES.flatMap((role) => [false, true].map((observesAll) => ({ role, observesAll })))
for (const { role, observesAll } of CASES) {
  test(`every method and right, for the role ${role}${observesAll ? ', where admins observe' : ''}`, async () => {
    await using kit = await startPeersKit()
    const bob = kit.peer(BOB, { sessions: 'all', ...(observesAll && { observesSince: () => 0 }) })
    for (const given of GIVEN) {
      for (const method of Object.keys(NEEDS) as Method[]) {
        kit.roles.set(BOB, 'client')
        const id = await sessionOf(kit, given)
        kit.roles.set(BOB, role)
        const { seq } = await kit.host.get(id)
        const outcome = await outcomeOf(calls[method](bob, id))
        assert.equal(outcome, expected(method, given, { role, observesAll }), `${method} with ${given ?? 'nothing'} as ${role}`)
        if (outcome !== 'allowed') assert.equal((await kit.host.get(id)).seq, seq, `${method} changed something`)
      }
    }
  })
}

test('rights include what the table says: approve does not prompt, control does all', () => {
  const all = RIGHTS.map((right): [Right, Right[]] => [right, expandRights([right])])
  assert.deepEqual(all, [
    ['observe', ['observe']],
    ['prompt', ['observe', 'prompt']],
    ['approve', ['observe', 'approve']],
    ['control', ['observe', 'prompt', 'approve', 'control']],
  ])
})

test('a creator that is lowered to observer follows on, and does no more than was given to it, until it is a client again', async () => {
  await using kit = await startPeersKit()
  const bob = kit.peer(BOB)
  const { id } = await bob.create({})
  kit.roles.set(BOB, 'observer')
  await assert.rejects(tell(bob, id, 'x'), { code: 'forbidden' })
  await assert.rejects(bob.delete(id), { code: 'forbidden' })
  assert.equal((await bob.get(id)).id, id)
  await kit.host.share(id, { peerId: BOB, node: 'bob', rights: ['prompt'] })
  await tell(bob, id, 'given')
  await assert.rejects(bob.close(id), { code: 'forbidden' })
  kit.roles.set(BOB, 'client')
  await bob.configure(id, { title: 'mine' })
})

test('rights are in the log, survive a restart, and their end ends a follow', async () => {
  await using kit = await startPeersKit()
  const alice = kit.peer(ALICE)
  const { id } = await alice.create({})
  await alice.share(id, { peerId: BOB, node: 'bob', rights: ['prompt'] })
  await kit.kit.restart()
  const bob = kit.peer(BOB)
  const { shares } = await bob.get(id)
  assert.deepEqual(shares, [{ peerId: BOB, node: 'bob', rights: ['observe', 'prompt'] }])
  assert.deepEqual(
    (await bob.list()).items.map((row) => row.id),
    [id],
  )
  const seen: string[] = []
  await assert.rejects(
    async () => {
      for await (const event of bob.follow(id, { signal: AbortSignal.timeout(10_000) })) {
        seen.push(event.type)
        if (event.type === 'session.shared') await kit.peer(ALICE).unshare(id, BOB)
      }
    },
    { code: 'not_found' },
  )
  assert.deepEqual(seen, ['session.created', 'session.shared', 'session.unshared'])
  await assert.rejects(tell(bob, id, 'x'), { code: 'not_found' })
  assert.deepEqual((await bob.list()).items, [])
})

test("who may only prompt withdraws its own prompts, and nobody else's", async () => {
  const started = Promise.withResolvers<void>()
  await using kit = await startPeersKit(async ({ signal }) => {
    started.resolve()
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    return { stopReason: 'cancelled', usage: { inputTokens: 0, outputTokens: 0 } }
  })
  const alice = kit.peer(ALICE)
  const bob = kit.peer(BOB)
  const { id } = await alice.create({})
  await alice.share(id, { peerId: BOB, node: 'bob', rights: ['prompt'] })
  await tell(alice, id, 'first')
  await started.promise
  const second = await tell(bob, id, 'second')
  await assert.rejects(bob.cancel(id), { code: 'forbidden' })
  await bob.cancel(id, second.promptId)
  const { items } = await bob.history(id)
  assert.equal(items.at(-1)?.type, 'prompt.withdrawn')
})

test('an admin that observes reads what began since it was given, and nothing private, nor a fork of what is older', async () => {
  await using kit = await startPeersKit()
  const alice = kit.peer(ALICE)
  const [old, { id: secret }] = [await alice.create({}), await alice.create({ private: true })]
  const since = (await kit.host.get(old.id)).createdAt + 1
  while (Date.now() <= since) await new Promise((resolve) => setImmediate(resolve))
  const young = await alice.create({})
  const forks = [await alice.fork(old.id), await kit.host.fork(old.id), await kit.host.fork((await kit.host.fork(old.id)).id)]
  const bob = kit.peer(BOB, { observesSince: (peerId) => (peerId === BOB ? since : undefined) })
  kit.roles.set(BOB, 'admin')
  const closed = [old.id, secret, ...forks.map(({ id }) => id)]
  for (const id of closed) await assert.rejects(bob.history(id), (error) => isAppError(error, 'not_found', 'forbidden'))
  assert.equal((await bob.history(young.id)).items.length, 1)
  assert.equal((await bob.history((await kit.host.fork(young.id)).id)).items.length > 0, true)
  for (const role of ['member', 'client', 'observer'] as const) {
    kit.roles.set(BOB, role)
    await assert.rejects(bob.history(young.id), (error) => isAppError(error, 'not_found', 'forbidden'), role)
  }
})
