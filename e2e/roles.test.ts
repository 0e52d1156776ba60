import assert from 'node:assert/strict'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ACCESS, PLAIN_ACCESS, RIGHTS, ROLES, expandRights, mayCall, newPromptId, roleIncludes } from '@qmtcode/protocol'
import type { MethodAccess, PeerId, Right, Role, SessionId, SessionNeed } from '@qmtcode/protocol'
import { HANDSHAKE_PROTOCOL, encodeHello } from '../packages/mesh/src/handshake/hello.ts'
import { HELLO, dial, fate, idOf, stranger } from '../packages/mesh/src/testing/stranger.ts'
import { openNodeApi } from './support/node-api.ts'
import type { NodeApi } from './support/node-api.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'
import { callOnce } from './support/raw-peer.ts'

type Node = Awaited<ReturnType<typeof stranger>>
type Service = keyof typeof ACCESS
type Kind = 'unknown' | 'open' | 'banned' | Role
const KINDS: readonly Kind[] = ['unknown', 'open', 'banned', ...ROLES]
const REFUSED = ['reset', 'forbidden', 'not_admitted']

interface Host {
  machine: Machine
  api: NodeApi
  address: string
  /** Of the host's own person, given to nobody. */
  session: SessionId
}
const stack = new AsyncDisposableStack()
const peers = new Map<Kind, Node>()
let known: Host
let open: Host

const share = (machine: Machine): string => `[mesh.share]
agents = ["*"]
models = ["builtin/*"]
workspaces = ["${machine.workspace}"]
[agent]
provider = "builtin"
model = "demo"
`
const meshTable = (trust: string): string => `[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "kademlia"
node_name = "host"
trust = "${trust}"
`
async function startHost(trust: 'known' | 'open', configured = ''): Promise<Host> {
  const machine = stack.use(await createMachine())
  await machine.writeConfig(`${meshTable(trust)}${share(machine)}${configured}`)
  await writeFile(join(machine.workspace, 'a.txt'), 'text\n')
  const node = machine.start(['--headless', '--mesh'])
  const [, address = ''] = await node.line(/listening: (\S+)/)
  const api = stack.use(await openNodeApi(machine))
  const { id: session } = await api.sessions.create({})
  return { machine, api, address, session }
}

before(async () => {
  for (const kind of KINDS) peers.set(kind, stack.use(await stranger()))
  const configured = ROLES.map((role) => `[[mesh.peers]]\nname = "${role}"\npeer_id = "${peerIdOf(role)}"\nrole = "${role}"\nuse = false\n`)
  known = await startHost('known', configured.join(''))
  open = await startHost('open')
  await known.api.trust.ban(peerIdOf('banned'))
  for (const host of [known, open]) await host.api.trust.ban(idOf(stack.use(await stranger())), { mesh: true }) // so that there is one to tell
})
after(() => stack.disposeAsync())

function peerOf(kind: Kind): Node {
  const peer = peers.get(kind)
  if (!peer) throw new Error(`no peer ${kind}`)
  return peer
}
const peerIdOf = (kind: Kind): PeerId => idOf(peerOf(kind))
const hostOf = (kind: Kind): Host => (kind === 'open' ? open : known)
const roleOf = (kind: Kind): Role | undefined => ROLES.find((role) => role === kind)

/** Greeted, as one that admits the host in turn. */
async function connect(kind: Kind): Promise<Awaited<ReturnType<typeof dial>> | undefined> {
  try {
    const connection = await dial(peerOf(kind), hostOf(kind))
    const hello = encodeHello({ ...HELLO, name: kind, state: 'admitted', role: 'admin', services: ['gossip'] })
    await fate(connection, HANDSHAKE_PROTOCOL, hello, 20_000)
    return connection.status === 'open' ? connection : undefined
  } catch {
    return undefined
  }
}

/** What a refused call must not have changed. */
async function stateOf({ api, machine }: Host): Promise<string> {
  const sessions = (await api.sessions.list({})).items
  const trust = (await api.trust.list()).map(({ peerId, trust, role, use }) => ({ peerId, trust, role, use }))
  return JSON.stringify([
    sessions,
    trust,
    await api.trust.invites(),
    await readdir(machine.workspace),
    await readFile(join(machine.workspace, 'a.txt')),
  ])
}

/** Parameters that the host takes, so that a refusal is about who calls. */
function paramsOf(service: Service, method: string, sessionId: SessionId): Record<string, unknown> {
  const text = [{ type: 'text', text: 'hello' }]
  const about: Record<string, Record<string, unknown>> = {
    create: {},
    prompt: { promptId: newPromptId(), content: text },
    answer: { requestId: 'none', answer: 'allow' },
    configure: { change: { title: 'changed' } },
    fork: { options: {} },
    listFiles: { query: {} },
    readFile: { path: 'a.txt' },
    share: { share: { peerId: peerIdOf('open'), node: 'other', rights: ['observe'] } },
    unshare: { peerId: peerIdOf('open') },
    stream: { model: 'builtin/demo', options: { prompt: [{ role: 'user', content: text }] } },
    resume: { callId: 'call-none-of-this-node', after: 0 },
    leave: { callId: 'call-none-of-this-node' },
    buckets: { set: 'records' },
    digest: { set: 'records', buckets: [] },
    fetch: { set: 'records', keys: [] },
    push: { set: 'records', entries: [] },
    receive: { bytes: 1_000 },
    send: { bytes: { $type: 'bytes', base64: 'AAAA' } },
    meet: { token: 'none-of-anybody-at-all', nat: 'unknown' },
  }
  const isAbout = service === 'sessions' && method !== 'create' && method !== 'list'
  return { ...(service === 'sessions' && method === 'resume' ? {} : about[method]), ...(isAbout && { id: sessionId }) }
}

type Outcome = 'allowed' | 'reset' | 'forbidden' | 'not_found'

/** The table read once more: by service, by method, by what the role alone gives on a session of the host's person. */
function expected(kind: Kind, service: Service, { role, open: whenOpen, right }: MethodAccess): Outcome {
  const caller = { role: roleOf(kind), open: kind === 'open' }
  if (!Object.values(ACCESS[service]).some((method: MethodAccess) => mayCall(caller, method))) return 'reset'
  if (!mayCall(caller, { role, open: whenOpen })) return 'forbidden'
  if (right === undefined) return 'allowed'
  return 'not_found' // no role opens the sessions of others
}

async function walk(kind: Kind, service: Service, connection: Awaited<ReturnType<typeof connect>>): Promise<void> {
  const host = hostOf(kind)
  for (const [method, access] of Object.entries<MethodAccess>(ACCESS[service])) {
    const before = await stateOf(host)
    const answer = await callOnce(connection, `/qmt/${service}/1`, { method, params: paramsOf(service, method, host.session) })
    const wanted = expected(kind, service, access)
    const name = `${kind}: ${service} ${method} → ${answer.code ?? 'ok'}`
    if (wanted === 'allowed') assert.ok(!REFUSED.includes(answer.code ?? 'ok') && answer.code !== 'bad_request', name)
    else {
      assert.equal(answer.code, wanted, name)
      assert.equal(await stateOf(host), before, `${name} changed nothing`)
    }
  }
}

for (const kind of KINDS) {
  test(`${kind}: every method of every service is allowed or refused as the table says`, async () => {
    const connection = await connect(kind) // one for all: an unknown peer has five in a second
    for (const service of Object.keys(ACCESS) as Service[]) await walk(kind, service, connection)
    if (kind !== 'banned') assert.equal(connection?.status, 'open', 'refused by the table, not for want of a connection')
    await connection?.close()
  })
}

const ENDED_BY_NONSENSE = ['/qmt/kad/1.0.0', '/libp2p/circuit/relay/0.2.0/stop']

test('protocols that are no services open to whom the table says, and there are no others', async () => {
  for (const kind of KINDS) {
    const connection = await connect(kind)
    for (const [protocolId, least] of Object.entries(PLAIN_ACCESS)) {
      const isOpen = kind !== 'banned' && (least === 'unknown' || roleIncludes(roleOf(kind), least))
      const bytes = protocolId === HANDSHAKE_PROTOCOL ? encodeHello(HELLO) : new Uint8Array(32)
      const end = connection ? await fate(connection, protocolId, protocolId.startsWith('/ipfs/id') ? undefined : bytes, 400) : 'reset'
      const isServed = end !== 'reset' || (ENDED_BY_NONSENSE.includes(protocolId) && isOpen)
      assert.equal(isServed, isOpen, `${kind}: ${protocolId} ${end}`)
    }
    if (kind !== 'admin' || !connection) continue
    const { protocols } = await peerOf(kind).peerStore.get(connection.remotePeer)
    const listed = [...Object.keys(PLAIN_ACCESS), ...Object.keys(ACCESS).map((service) => `/qmt/${service}/1`)]
    assert.deepEqual(
      protocols.filter((protocol) => !listed.includes(protocol)),
      [],
      'a protocol that no table names',
    )
  }
})

/** What one right, or being the creator, comes to on one session. */
function gives(given: Right | 'creator', need: SessionNeed): boolean {
  if (given === 'creator' || need === 'row') return true
  const rights = expandRights([given])
  if (need === 'reply') return rights.includes('prompt') || rights.includes('approve')
  return rights.some((right) => right === need)
}

test('the rights of one session, given to a client, allow what the table says and no more', async () => {
  const { api } = known
  const connection = await connect('client')
  for (const given of RIGHTS) {
    const { id } = await api.sessions.create({})
    await api.sessions.share(id, { peerId: peerIdOf('client'), node: 'client', rights: [given] })
    for (const [method, { right }] of Object.entries<MethodAccess>(ACCESS.sessions)) {
      if (right === undefined || method === 'fork') continue
      const { code = 'ok' } = await callOnce(connection, '/qmt/sessions/1', { method, params: paramsOf('sessions', method, id) })
      const isAllowed = gives(given, right) || (method === 'cancel' && given === 'prompt') // of a prompt of its own
      assert.equal(code === 'forbidden', !isAllowed, `${given}: ${method} → ${code}`)
      assert.notEqual(code, 'bad_request', `${given}: ${method}`)
    }
  }
})
