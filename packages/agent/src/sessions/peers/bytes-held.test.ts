import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { test } from 'node:test'
import { isAppError, isDurable, newPromptId } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import type { RunTurn } from '../../turn/types.ts'
import { note } from '../../log/log-kit.ts'
import { ALICE, BOB, startPeersKit, tell } from './peers-kit.ts'
import type { PeersKit } from './peers-kit.ts'

const KB = 1_024
const usage = { inputTokens: 0, outputTokens: 0 }

/** Lasts until it is cancelled. */
const lasting: RunTurn = async ({ signal }) => {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  return { stopReason: 'cancelled', usage }
}
/** A model that talks until it is stopped. */
const talking: RunTurn = async ({ append, signal }) => {
  while (!signal.aborted) await append(note('x'.repeat(10 * KB)))
  return { stopReason: 'completed', usage }
}
const quick: RunTurn = async () => ({ stopReason: 'completed', usage })

const isEnd = (event: SessionEvent): boolean => event.type === 'turn.ended'

async function untilEnd(sessions: Sessions, id: SessionId, after = 0): Promise<Extract<SessionEvent, { type: 'turn.ended' }>> {
  for await (const event of sessions.follow(id, { after, signal: AbortSignal.timeout(20_000) })) {
    if (isDurable(event) && isEnd(event) && event.type === 'turn.ended') return event
  }
  throw new Error('no end')
}

/** Tells, and waits for the end of the turn. */
async function tellToEnd(sessions: Sessions, id: SessionId, text: string): Promise<void> {
  const { seq } = await tell(sessions, id, text)
  const end = await untilEnd(sessions, id, seq)
  if (end.error) throw Object.assign(new Error(end.error.message), { code: end.error.code, hint: end.error.hint })
}

interface Holding {
  runTurn: RunTurn
  /** What the peer does again and again, until it is refused. */
  more(sessions: Sessions, id: SessionId, kit: PeersKit): Promise<unknown>
  code: 'too_large' | 'busy'
  limits: NonNullable<Parameters<typeof startPeersKit>[1]>
}

const long = 'y'.repeat(20 * KB)
const LOG = { peerSessionsBytes: 200 * KB, sessionBytes: 400 * KB }
const HOLDINGS: Record<string, Holding> = {
  'the log, by prompts': { runTurn: quick, more: (sessions, id) => tellToEnd(sessions, id, long), code: 'too_large', limits: LOG },
  'the log, by prompts in sessions of its host': {
    runTurn: quick,
    more: async (sessions, _, { host }) => {
      const { id } = await host.create({})
      await host.share(id, { peerId: ALICE, node: 'alice', rights: ['prompt'] })
      await tellToEnd(sessions, id, long)
    },
    code: 'too_large',
    limits: LOG,
  },
  'the log, by what models answer': {
    runTurn: talking,
    more: (sessions, id) => tellToEnd(sessions, id, 'go'),
    code: 'too_large',
    limits: LOG,
  },
  'the log, by many sessions': {
    runTurn: quick,
    more: (sessions) => sessions.create({ title: 'z'.repeat(200) }),
    code: 'too_large',
    limits: LOG,
  },
  'the log, by settings': {
    runTurn: quick,
    more: (sessions, id) => sessions.configure(id, { title: 'z'.repeat(200) }),
    code: 'too_large',
    limits: LOG,
  },
  'the log, by shares that it gives and takes back': {
    runTurn: quick,
    more: async (sessions, id) => {
      await sessions.share(id, { peerId: BOB, node: 'b'.repeat(60), rights: ['control'] })
      await sessions.unshare(id, BOB)
    },
    code: 'too_large',
    limits: LOG,
  },
  'the log, by forks': {
    runTurn: quick,
    more: (sessions, id) => sessions.fork(id, { title: 'z'.repeat(200) }),
    code: 'too_large',
    limits: LOG,
  },
  'one session': {
    runTurn: quick,
    more: (sessions, id) => tellToEnd(sessions, id, long),
    code: 'too_large',
    limits: { sessionBytes: 200 * KB },
  },
  'the context of a turn under way': {
    runTurn: talking,
    more: (sessions, id) => tellToEnd(sessions, id, 'go'),
    code: 'busy',
    limits: { peerContextBytes: 200 * KB },
  },
  'the contexts of turns under way': {
    runTurn: lasting,
    more: async (sessions) => await tell(sessions, (await sessions.create({})).id, long),
    code: 'busy',
    limits: { peerContextBytes: 200 * KB },
  },
  'the contexts of turns under way, of all peers': {
    runTurn: lasting,
    more: async (sessions) => await tell(sessions, (await sessions.create({})).id, long),
    code: 'busy',
    limits: { peersContextBytes: 200 * KB },
  },
  'prompts that wait': {
    runTurn: lasting,
    more: (sessions, id) => tell(sessions, id, long),
    code: 'busy',
    limits: { peerContextBytes: 200 * KB },
  },
}

for (const [what, { runTurn, more, code, limits }] of Object.entries(HOLDINGS)) {
  test(`bounds count bytes, over all that a peer holds: ${what}`, { timeout: 60_000 }, async () => {
    const counts = { peerSessions: 1e6, peerPrompts: 1e6, peersPrompts: 1e6, peerPromptsAMinute: 1e6 }
    await using kit = await startPeersKit(runTurn, { ...counts, ...limits })
    const alice = kit.peer(ALICE)
    const { id } = await alice.create({})
    let refusal: unknown
    for (let i = 0; i < 2_000 && refusal === undefined; i += 1)
      refusal = await more(alice, id, kit).then(
        () => undefined,
        (error: unknown) => error,
      )
    const { code: refused, hint } = (refusal ?? {}) as { code?: string; hint?: string }
    assert.equal(refused, code, `after all, ${String(refusal)}`)
    assert.ok((hint ?? '') !== '')
    await tell(kit.host, (await kit.host.create({})).id, 'this node’s own person is not bounded by what peers hold')
    if (limits.peersContextBytes === undefined)
      await tell(kit.peer(BOB), (await kit.peer(BOB).create({})).id, 'another peer has its own room')
  })
}

test('bounds count bytes, over all that a peer holds: what is deleted makes room, and a restart forgets nothing', async () => {
  await using kit = await startPeersKit(quick, { peerSessionsBytes: 100 * KB, peerPromptsAMinute: 1_000 })
  const alice = () => kit.peer(ALICE)
  const { id } = await alice().create({})
  await tellToEnd(alice(), id, 'y'.repeat(90 * KB))
  const next = await alice().create({})
  const refused = (error: unknown): boolean => isAppError(error, 'too_large')
  await assert.rejects(tell(alice(), next.id, long), refused)
  await kit.kit.restart()
  await assert.rejects(tell(alice(), next.id, long), refused)
  await alice().delete(id)
  await tellToEnd(alice(), next.id, long)
})

test('bounds count bytes, over all that a peer holds: a fork takes no room for what it shares, and whoever keeps it pays', async () => {
  const room = 1_000 * KB
  await using kit = await startPeersKit(quick, { peerSessionsBytes: room, peerPromptsAMinute: 1_000 })
  const { id } = await kit.peer(ALICE).create({})
  await tellToEnd(kit.peer(ALICE), id, 'y'.repeat(600 * KB))
  const size = async (): Promise<number> => (await stat(kit.kit.file)).size + (await stat(`${kit.kit.file}-wal`)).size
  const before = await size()
  const forks: SessionId[] = []
  for (let i = 0; i < 50; i += 1) forks.push((await kit.peer(ALICE).fork(forks.at(-1) ?? id)).id)
  assert.ok((await size()) - before < 6_000 * KB, 'fifty forks of 600 kB')
  const bob = kit.peer(BOB)
  await kit.host.share(id, { peerId: BOB, node: 'bob', rights: ['observe'] })
  const { id: his } = await bob.fork(id)
  const texts = async (sessions: Sessions, session: SessionId) => JSON.stringify((await sessions.history(session)).items.slice(1))
  const whole = await texts(bob, his)
  for (const fork of [id, ...forks]) await kit.peer(ALICE).delete(fork)
  assert.equal(await texts(kit.peer(BOB), his), whole)
  await tellToEnd(kit.peer(ALICE), (await kit.peer(ALICE).create({})).id, 'y'.repeat(600 * KB))
  await assert.rejects(tell(kit.peer(BOB), his, 'y'.repeat(600 * KB)), { code: 'too_large' })
})

test('a prompt that is refused for its size leaves nothing', async () => {
  await using kit = await startPeersKit(quick, { sessionBytes: 50 * KB, peerPromptsAMinute: 1_000 })
  const alice = kit.peer(ALICE)
  const { id } = await alice.create({})
  const content = [{ type: 'text' as const, text: 'y'.repeat(60 * KB) }]
  await assert.rejects(alice.prompt(id, { promptId: newPromptId(), content }), { code: 'too_large' })
  assert.equal((await alice.get(id)).seq, 1)
  await tellToEnd(alice, id, 'small')
})
