import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { LIMITS, newPromptId, newSessionId } from '@qmtcode/protocol'
import type { SessionId, Sessions } from '@qmtcode/protocol'
import { createTurnScript, eventually, followUntil } from '@qmtcode/testing'
import { startMeshSessions } from './support/mesh-sessions.ts'
import type { MeshSessions } from './support/mesh-sessions.ts'
import { admitted, createRawPeer } from './support/raw-peer.ts'
import type { RawPeer } from './support/raw-peer.ts'

/** Mallory is admitted as a client, and speaks the wire as it likes. */
let mesh: MeshSessions
let mallory: RawPeer
let alice: Sessions
/** Alice's. Mallory has no right on it. */
let hers: SessionId
/** Mallory's own. */
let own: SessionId
before(async () => {
  mesh = await startMeshSessions(createTurnScript().runTurn)
  mallory = await createRawPeer()
  const host = mesh.hostNode()
  await host.trust.admit(mallory.peerId, { role: 'client', name: 'mallory' })
  await mallory.connect((await host.peers.status()).listenAddresses[0] ?? '', { greets: true })
  await admitted(mallory)
  await mesh.connected('alice')
  alice = mesh.guests.alice.peers.sessions(host.peerId)
  hers = (await alice.create({})).id
  const made = await mallory.call('create', {})
  own = (made.items[0] as { id: SessionId }).id
})
after(async () => {
  await mallory[Symbol.asyncDispose]()
  await mesh[Symbol.asyncDispose]()
})

const person = (): Sessions => mesh.host.as('person')

/** Everything that a refused call could have changed. */
async function state(): Promise<unknown> {
  const { items } = await person().list({ limit: 1_000 })
  const files = (await readdir(mesh.host.workspace)).filter((name) => !name.startsWith('sessions.db'))
  return { rows: items.map(({ id, seq, state: now, title, shares }) => ({ id, seq, now, title, shares })), files: files.sort() }
}

async function refused(calls: readonly (readonly [method: string, params: unknown])[], codes: readonly string[]): Promise<void> {
  const earlier = await state()
  for (const [method, params] of calls) {
    const { code } = await mallory.call(method, params)
    assert.ok(code !== undefined && codes.includes(code), `${method} ${JSON.stringify(params).slice(0, 200)}: ${code}`)
  }
  assert.deepEqual(await state(), earlier)
}

const say = (text: string) => ({ promptId: newPromptId(), content: [{ type: 'text', text }] })

test('a forged cursor', async () => {
  const forged = [1_000, -1, Number.NaN, Infinity, 2 ** 53, Number.MAX_SAFE_INTEGER, 1.5, '1', '', [], {}, true]
  await refused(
    forged.map((after) => ['follow', { id: own, after }] as const),
    ['bad_request'],
  )
  const befores = [0, -1, 1.5, '1', [], {}, 2 ** 60]
  await refused(
    befores.map((before) => ['history', { id: own, before, limit: 10 }] as const),
    ['bad_request'],
  )
  const cursors = ['-1', '1e3', "1' OR '1'='1", '9'.repeat(16), '\0', 7, {}]
  await refused(
    cursors.map((cursor) => ['list', { cursor }] as const),
    ['bad_request'],
  )
  const limits = [0, -1, LIMITS.pageSize + 1, '10', 1.5]
  await refused(
    limits.flatMap((limit) => [['list', { limit }] as const, ['history', { id: own, limit }] as const]),
    ['bad_request'],
  )
})

/** Ways to write something else than an id. */
const SPELLINGS: readonly unknown[] = [
  ...['../', '..\\', '%2e%2e%2f', '..%2f', '%252e%252e/', '....//', './', '/', '//', '~/', 'file:///', 'C:\\', '\\\\host\\'].map(
    (start) => `${start}ses_0000000000000000`,
  ),
  ...[
    '/../x',
    '\0',
    '\0.db',
    '\n',
    '\r\n',
    ' ',
    '\t',
    '%00',
    '/',
    '\\',
    "'",
    '"',
    ';',
    '--',
    '*',
    '?',
    '#',
    '\u202e',
    '\u200b',
    '\ufeff',
  ].map((end) => `ses_0000000000000000${end}`),
  'ses_',
  'ses_abc',
  'SES_0000000000000000',
  'ses_ABCDEFGHJKMNPQRS',
  'ses_ａｂｃｄ',
  'ses_é000000000000000',
  'ses_е000000000000000', // the Cyrillic letter
  'ѕеѕ_0000000000000000',
  'ses_‥／0000000000000',
  'ses_\ud800',
  `ses_${'0'.repeat(41)}`,
  `ses_${'0'.repeat(100_000)}`,
  '',
  '__proto__',
  'constructor',
  null,
  0,
  [],
  {},
  ['ses_0000000000000000'],
  { $type: 'bytes', base64: 'AAAA' },
]

test(`${SPELLINGS.length} spellings that are no session id, in every method`, async () => {
  assert.ok(SPELLINGS.length >= 50)
  const methods: [string, Record<string, unknown>][] = [
    ['get', {}],
    ['follow', {}],
    ['history', {}],
    ['prompt', say('x')],
    ['delete', {}],
  ]
  const calls = SPELLINGS.flatMap((id) => methods.map(([method, more]) => [method, { ...more, id }] as const))
  await refused(calls, ['bad_request'])
})

test('paths that lead out of a workspace', async () => {
  const paths = ['../secret', '/etc/passwd', 'a/../../x', '..', '\0', 'a\0b', '~/x', '..\\x']
  for (const path of paths) {
    for (const [method, params] of [
      ['readFile', { id: own, path }],
      ['listFiles', { id: own, query: { path } }],
      ['create', { workspace: `${mesh.host.workspace}/${path}` }],
      ['create', { workspace: path }],
    ] as const) {
      const earlier = await state()
      const { code } = await mallory.call(method, params)
      assert.ok(code !== undefined && code !== 'internal' && code !== 'reset', `${method} ${JSON.stringify(path)}: ${code}`)
      assert.deepEqual(await state(), earlier)
    }
  }
})

test('every method without a right: the session is not there', async () => {
  const id = hers
  const calls: [string, Record<string, unknown>][] = [
    ['get', { id }],
    ['follow', { id }],
    ['history', { id }],
    ['prompt', { id, ...say('say x') }],
    ['answer', { id, requestId: 'ask_x', answer: 'allow' }],
    ['cancel', { id }],
    ['resume', { id }],
    ['configure', { id, change: { title: 'mine' } }],
    ['fork', { id, options: {} }],
    ['listFiles', { id, query: {} }],
    ['readFile', { id, path: 'a' }],
    ['presence', { id }],
    ['share', { id, share: { peerId: mallory.peerId, node: 'mallory', rights: ['control'] } }],
    ['unshare', { id, peerId: mallory.peerId }],
    ['close', { id }],
    ['delete', { id }],
  ]
  await refused(calls, ['not_found'])
  // And in the same words as for one that never was.
  await refused(
    calls.map(([method, params]) => [method, { ...params, id: newSessionId() }] as const),
    ['not_found'],
  )
})

test('who only observes does no more', async () => {
  await alice.share(hers, { peerId: mallory.peerId, node: 'mallory', rights: ['observe'] })
  const id = hers
  await refused(
    [
      ['prompt', { id, ...say('say x') }],
      ['answer', { id, requestId: 'ask_x', answer: 'allow' }],
      ['cancel', { id }],
      ['configure', { id, change: { title: 'mine' } }],
      ['share', { id, share: { peerId: mallory.peerId, node: 'mallory', rights: ['control'] } }],
      ['unshare', { id, peerId: mallory.peerId }],
      ['close', { id }],
      ['delete', { id }],
    ],
    ['forbidden'],
  )
  await alice.unshare(hers, mallory.peerId)
})

test('an answer to a question already answered', async () => {
  await mallory.call('prompt', { id: own, ...say('ask') })
  const asked = (await followUntil(person(), own, ({ type }) => type === 'permission.requested')).at(-1)
  assert.ok(asked?.type === 'permission.requested')
  await person().answer(own, { id: asked.id, answer: 'deny' })
  await followUntil(person(), own, ({ type }) => type === 'turn.ended')
  for (const answer of ['allow', 'allow_session', 'deny'])
    await refused([['answer', { id: own, requestId: asked.id, answer }]], ['conflict'])
  await refused(
    ['ask_none', '../x', '', '\0'].map((requestId) => ['answer', { id: own, requestId, answer: 'allow' }] as const),
    ['not_found'],
  )
  await refused(
    ['yes', true, {}, { choices: [] }, ['allow']].map((answer) => ['answer', { id: own, requestId: asked.id, answer }] as const),
    ['bad_request'],
  )
})

test("a name that is claimed is not taken: the author is the connection's peer", async () => {
  const claimed = { peerId: mesh.guests.alice.peerId, node: 'alice', user: 'root' }
  const { promptId, content } = say('say hello')
  const { code } = await mallory.call('prompt', { id: own, promptId, content, author: claimed, peerId: claimed.peerId, user: 'root' })
  assert.equal(code, undefined)
  const made = (await mallory.call('create', { author: claimed, title: 'claimed' })).items[0] as { id: SessionId }
  const authors = async (id: SessionId) => (await person().history(id)).items.flatMap((event) => ('author' in event ? [event.author] : []))
  for (const author of [...(await authors(own)), ...(await authors(made.id))]) {
    assert.deepEqual(author, { peerId: mallory.peerId, node: 'mallory' })
  }
})

test('a prompt over the limits, and what is no prompt', async () => {
  const text = { type: 'text', text: 'x' }
  const large = Array.from({ length: 10 }, () => ({ type: 'text', text: 'x'.repeat(100_000) }))
  assert.ok(JSON.stringify(large).length > 900_000) // one frame cannot hold more: the rest is tested through our client
  const contents: unknown[] = [
    [],
    null,
    'text',
    [{}],
    [{ type: 'tool-call', toolCallId: 'x', toolName: 'shell', input: {} }],
    [{ type: 'reasoning', text: 'x' }],
  ]
  await refused(
    [...contents, Array.from({ length: 1_001 }, () => text)].map(
      (content) => ['prompt', { id: own, promptId: newPromptId(), content }] as const,
    ),
    ['bad_request'],
  )
  await refused(
    ['', 'a/b', '../x', 'x'.repeat(81), '\0', 7, null].map((promptId) => ['prompt', { id: own, promptId, content: [text] }] as const),
    ['bad_request'],
  )
  const { id } = await alice.create({})
  const earlier = await state()
  const prompt = alice.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'x'.repeat(LIMITS.promptBytes) }] })
  await assert.rejects(prompt, { code: 'too_large' })
  assert.deepEqual(await state(), earlier)
})

test('10,000 follows: those within the bound are served, the others refused, and all are given back', async () => {
  const lines = await Promise.all(Array.from({ length: LIMITS.peerFollows }, () => mallory.open()))
  const held = await Promise.all(lines.map((line) => line.call('follow', { id: own }, 'first')))
  assert.deepEqual(new Set(held.map(({ code }) => code)), new Set([undefined]))
  const more = await Promise.all(Array.from({ length: 20 }, () => mallory.open()))
  const codes = new Map<string | undefined, number>()
  const refusals = async (line: (typeof more)[number]): Promise<void> => {
    for (let at = 0; at < 500; at += 1) {
      const { code } = await line.call('follow', { id: own }, 'first')
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
  }
  await Promise.all(more.map(refusals))
  assert.deepEqual([...codes], [['busy', 10_000]])
  const { id } = await alice.create({})
  assert.equal((await alice.get(id)).id, id) // nobody else feels it
  await mallory[Symbol.asyncDispose]()
  await eventually('its follows are gone', async () => (await person().get(own)).followers.length === 0)
})
