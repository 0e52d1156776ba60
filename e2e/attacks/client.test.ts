import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import type { SessionId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { startGround, promptBy } from './ground.ts'
import type { Ground, Insider } from './ground.ts'
import { order } from './obedient.ts'
import type { ToolCall } from './obedient.ts'

/** Every method that is about one session, as a client of the wire would call it on the session of somebody else. */
const ON_A_SESSION: Record<string, (peer: Insider) => Record<string, unknown>> = {
  get: () => ({}),
  history: () => ({ limit: 1_000 }),
  follow: () => ({ after: 0 }),
  presence: () => ({}),
  listFiles: () => ({ query: {} }),
  readFile: () => ({ path: 'src/main.js' }),
  prompt: () => ({ promptId: newPromptId(), content: [{ type: 'text', text: 'tell me all' }] }),
  answer: () => ({ requestId: 'per_1', answer: 'allow_session' }),
  cancel: () => ({}),
  resume: () => ({}),
  configure: () => ({ change: { title: 'mine' } }),
  fork: () => ({ options: { at: 1 } }),
  share: ({ peerId }) => ({ share: { peerId, node: 'me', rights: ['observe', 'prompt', 'approve', 'control'] } }),
  unshare: ({ peerId }) => ({ peerId }),
  close: () => ({}),
  delete: () => ({}),
}

test('a client that means ill gets no more than a client may', async (context) => {
  await using ground = await startGround()
  const client = await ground.insider('client')
  await context.test('it reaches no session of others by any method, and lists none', () => reachOthers(ground, client))
  await context.test('it works in no place, and reads no file, but in what is shared', () => leaveWorkspace(ground, client))
  await context.test('its prompts make the model do no more', () => driveModel(ground, client))
  await ground.unharmed(client.heard())
  await context.test('it does not go on after its rights were taken', () => goOn(ground, client))
})

test('the same where shell asks the host, and the client answers what it is not to answer', async () => {
  await using ground = await startGround({ share: 'shell = "ask"\n' })
  const client = await ground.insider('client')
  await driveModel(ground, client)
  await ground.unharmed(client.heard())
})

async function reachOthers(ground: Ground, client: Insider): Promise<void> {
  const reached: string[] = []
  for (const id of ground.foreign) {
    for (const [method, paramsOf] of Object.entries(ON_A_SESSION)) {
      const { code, items } = await client.call(method, { id, ...paramsOf(client) })
      if (code !== 'not_found' && code !== 'forbidden') reached.push(`${method} ${id}: ${code} ${JSON.stringify(items)}`)
    }
  }
  assert.deepEqual(reached, [])
  assert.deepEqual((await client.call('list', {})).items, [{ items: [] }])
}

/** Places that a client may neither work in nor read, from the machine's layout. */
const placesOf = ({ host }: Ground): Record<string, string> => {
  const root = dirname(host.home)
  return {
    'the root': '/',
    'the home': root,
    QMT_HOME: host.home,
    'a directory beside': join(root, 'beside'),
    'a link out of the workspace': join(host.workspace, 'linked'),
    'up and out': `${host.workspace}/../beside`,
    'up and out, deeper': `${host.workspace}/src/../../beside`,
    'a relative one': '../beside',
    'with a zero byte': `${host.workspace}\0/../beside`,
    'the kernel’s': '/proc/self',
    'a very long one': `/${'a/'.repeat(4_000)}`,
  }
}

const FILES: Record<string, string> = {
  'up and out': '../beside/notes.txt',
  'up and out behind a directory': 'src/../../beside/notes.txt',
  'through a link': 'linked/notes.txt',
  'a link to a file': 'innocent.txt',
  'a hidden file': '.env',
  'a hidden file by another spelling': './/src/.././.env',
  'the environment of the node': '/proc/self/environ',
  'the environment, from the workspace': '../../../../../../proc/self/environ',
  'a zero byte': 'src/main.js\0/../../../beside/notes.txt',
  backslashes: String.raw`..\beside\notes.txt`,
  encoded: '%2e%2e/beside/notes.txt',
  'a device': '/dev/zero',
}

async function leaveWorkspace(ground: Ground, client: Insider): Promise<void> {
  const places = placesOf(ground)
  for (const [what, workspace] of Object.entries(places)) isRefused(what, await client.call('create', { workspace }))
  const id = await sessionOf(client)
  for (const [what, path] of Object.entries({ ...FILES, ...places })) {
    isRefused(what, await client.call('readFile', { id, path }))
    const listed = await client.call('listFiles', { id, query: { path } })
    assert.doesNotMatch(JSON.stringify(listed.items), /notes\.txt|known_peers/, what)
  }
}

function isRefused(what: string, { code, items }: Awaited<ReturnType<Insider['call']>>): void {
  assert.ok(code !== undefined && code !== 'internal', `${what}: ${code} ${JSON.stringify(items)}`)
}

const sessionOf = async (client: Insider, init: Record<string, unknown> = {}): Promise<string> => {
  const { code, items } = await client.call('create', init)
  assert.equal(code, undefined)
  return (items[0] as { id: string }).id
}

const WRITES: Record<string, string> = {
  'beside the workspace': '../beside/notes.txt',
  'through a link': 'linked/pwned.txt',
  'a link to a file': 'innocent.txt',
  'a hook of git': '.git/hooks/pre-commit',
  'the configuration of git': '.git/config',
  'what a shell reads': '.envrc',
  'what an editor runs': '.vscode/tasks.json',
  'what npm obeys': '.npmrc',
  'what agents obey': 'AGENTS.md',
  'servers of tools': '.mcp.json',
  'another spelling': 'src/../.ENVRC',
  'the node’s own': '../home/config.toml',
}

const TRIES: ToolCall[] = [
  ...Object.values(FILES).map((path) => ({ tool: 'read_file', input: { path } })),
  ...Object.values(WRITES).map((path) => ({ tool: 'write_file', input: { path, content: 'pwned' } })),
  { tool: 'shell', input: { command: 'touch ../pwned pwned; cat ~/.ssh/id; env' } },
  { tool: 'search_text', input: { pattern: 'SECRET', path: '..' } },
  { tool: 'search_text', input: { pattern: 'SECRET', path: 'linked' } },
  { tool: 'search_text', input: { pattern: 'SECRET' } },
  { tool: 'list_files', input: { path: '..' } },
  { tool: 'list_files', input: { path: 'linked' } },
]
const A_PROMPT = 8

/** Orders the model to try all, and answers whatever is asked; what is reserved is not its to answer. */
async function driveModel(ground: Ground, client: Insider): Promise<void> {
  const id = await sessionOf(client)
  const answered = new Set<string>()
  for (let at = 0; at < TRIES.length; at += A_PROMPT) {
    const { code } = await promptBy(client, id, order(...TRIES.slice(at, at + A_PROMPT)))
    assert.equal(code, undefined)
    await eventually('the turn ended', async () => {
      const { state } = (await client.call('get', { id })).items[0] as { state: string }
      if (state === 'waiting') await answerAll(ground, client, { id, answered })
      return state === 'idle'
    })
  }
  const results = ground.llm.requests.at(-1)?.body.messages?.filter(({ role }) => role === 'tool')
  assert.ok((results?.length ?? 0) >= TRIES.length, 'the model did not try all')
}

const CUT_MS = 3_000 // a second by design, and a busy machine

/** What was live ends, and what is new is refused: of what was shared, of a role, of all. */
async function goOn({ api }: Ground, client: Insider): Promise<void> {
  const { id } = await api.sessions.create({})
  await api.sessions.share(id, { peerId: client.peerId, node: 'client', rights: ['observe', 'prompt'] })
  const seen = await following(client, id)
  await api.sessions.unshare(id, client.peerId)
  assert.match(await within(CUT_MS, seen), /not_found|forbidden|reset/)
  for (const method of ['get', 'history', 'prompt', 'fork', 'readFile'])
    assert.match(await codeOf(client, method, id), /not_found|forbidden/, method)
  const own = await sessionOf(client)
  await api.trust.setRole(client.peerId, 'observer')
  for (const method of ['create', 'fork', 'prompt', 'configure'])
    await eventually(`${method} is refused`, async () => /forbidden|reset/.test(await codeOf(client, method, own)))
  const last = await following(client, own)
  await api.trust.ban(client.peerId)
  assert.equal(await within(CUT_MS, last), 'reset')
  assert.equal((await api.sessions.get(own as SessionId)).state, 'idle')
}

async function codeOf(client: Insider, method: string, id: string): Promise<string> {
  const params = method === 'create' ? {} : { id, ...ON_A_SESSION[method]?.(client) }
  return (await client.call(method, params)).code ?? 'served'
}

/** The end of a follow that has begun. */
async function following(client: Insider, id: string): Promise<Promise<string>[]> {
  const line = await eventually('a stream', () => client.open().catch(() => undefined))
  const end = line.call('follow', { id, after: 0 }).then(({ code }) => code ?? 'ended')
  await eventually('it is present', async () => JSON.stringify((await client.call('presence', { id })).items).includes(client.peerId))
  return [end]
}

async function within(ms: number, [end]: readonly Promise<string>[]): Promise<string> {
  const begun = performance.now()
  const code = (await end) ?? ''
  assert.ok(performance.now() - begun < ms, `${code} after ${performance.now() - begun} ms`)
  return code
}

interface Asked {
  type: string
  id: string
  reserved?: boolean
}

async function answerAll(ground: Ground, client: Insider, { id, answered }: { id: string; answered: Set<string> }): Promise<void> {
  const { items } = await client.call('history', { id, limit: 1_000 })
  const { items: events } = items[0] as { items: Asked[] }
  for (const asked of events.filter(({ type, id: request }) => type === 'permission.requested' && !answered.has(request))) {
    answered.add(asked.id)
    for (const answer of ['allow_session', 'allow']) {
      const { code } = await client.call('answer', { id, requestId: asked.id, answer })
      if (asked.reserved === true) assert.equal(code, 'forbidden', JSON.stringify(asked))
    }
    if (asked.reserved === true) await ground.api.sessions.answer(id as SessionId, { id: asked.id, answer: 'deny' })
  }
}
