import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { newPromptId } from '@qmtcode/protocol'
import type { Role, SessionId } from '@qmtcode/protocol'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import type { ScriptedLlm } from '@qmtcode/testing'
import { openNodeApi } from '../support/node-api.ts'
import type { NodeApi } from '../support/node-api.ts'
import { createMachine } from '../support/qmt.ts'
import type { Machine, Running } from '../support/qmt.ts'
import { admitted, createRawPeer } from '../support/raw-peer.ts'
import type { RawPeer } from '../support/raw-peer.ts'
import { obedient } from './obedient.ts'

/** What no attacker may see, by where it is. */
const SECRETS = {
  'the host’s key in the home': 'SECRET-OF-SSH',
  'the key of a provider': 'sk-SECRET-OF-PROVIDER',
  'a file beside the workspace': 'SECRET-BESIDE',
  'a file that the host’s rules keep back': 'SECRET-OF-DOTENV',
  'the words of the host’s person': 'SECRET-WORDS-OF-PERSON',
  'the words of another peer': 'SECRET-WORDS-OF-FRIEND',
  'a private session': 'SECRET-PRIVATE',
}

/** A peer that was let in, and means ill; it says anything on the wire, and keeps what it hears. */
export interface Insider extends RawPeer {
  heard(): string
}

/** A real node that lets peers in, with secrets in every place, and a friend that must not notice. */
export interface Ground extends AsyncDisposable {
  host: Machine
  node: Running
  address: string
  api: NodeApi
  llm: ScriptedLlm
  /** Sessions of others: of the host's person, of the friend, and a private one of the person. */
  foreign: SessionId[]
  friend: RawPeer
  insider(role: Role): Promise<Insider>
  /** Fails where something was left behind, was heard, or hurt the node. */
  unharmed(heard: string): Promise<void>
}

export async function startGround(options: { share?: string; config?: string } = {}): Promise<Ground> {
  await using starting = new AsyncDisposableStack()
  const llm = starting.use(await startScriptedLlm(obedient))
  const host = starting.use(await createMachine({ OPENAI_API_KEY: SECRETS['the key of a provider'] }))
  await layOut(host)
  await host.writeConfig(configOf(host, llm, options))
  const node = host.start(['--headless', '--mesh'])
  const [, address = ''] = await node.line(/listening: (\/ip4\/127\S+\/tcp\S+\/p2p\/\S+)/)
  const api = starting.use(await openNodeApi(host))
  const peers = starting.use(new AsyncDisposableStack())
  let before: unknown
  const foreign: SessionId[] = []
  const insider = async (role: Role): Promise<Insider> => {
    const peer = peers.use(await createRawPeer())
    await api.trust.admit(peer.peerId, { role })
    await peer.connect(address, { greets: true })
    await admitted(peer)
    before = await traces(host, api, foreign)
    return listening(peer)
  }
  const friend = await insider('client')
  foreign.push(
    await spokenBy(api, SECRETS['the words of the host’s person']),
    await spokenBy(api, SECRETS['a private session'], { private: true }),
    await friendsSession(friend, api),
  )
  const started = starting.move()
  return {
    host,
    node,
    address,
    api,
    llm,
    foreign,
    friend,
    insider,
    async unharmed(heard) {
      const seen = Object.entries(SECRETS).filter(([, secret]) => heard.includes(secret))
      assert.deepEqual(seen, [], 'the attacker saw what it may not')
      assert.equal(node.process.exitCode, null, node.output())
      assert.doesNotMatch(await readFile(join(host.home, 'qmtcode.log'), 'utf8'), /uncaught|unhandled/i)
      await admitted(friend)
      assert.deepEqual(await traces(host, api, foreign), before, 'something was left behind')
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const configOf = (host: Machine, llm: ScriptedLlm, { share = '', config = '' }: { share?: string; config?: string }): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "host"
[mesh.share]
models = ["*"]
agents = ["*"]
workspaces = ["${host.workspace}"]
${share}
[agent]
model = "lab/scripted"
[providers.lab]
base_url = "${llm.url}"
api_key = "${SECRETS['the key of a provider']}"
[[permissions.rule]]
tool = "read"
match = ".env"
action = "deny"
${config}`

async function layOut({ home, workspace }: Machine): Promise<void> {
  const root = dirname(home)
  await mkdir(join(root, '.ssh'))
  await mkdir(join(root, 'beside'))
  await mkdir(join(workspace, 'src'))
  await writeFile(join(root, '.ssh', 'id'), SECRETS['the host’s key in the home'])
  await writeFile(join(root, 'beside', 'notes.txt'), SECRETS['a file beside the workspace'])
  await writeFile(join(workspace, '.env'), `KEY=${SECRETS['a file that the host’s rules keep back']}`)
  await writeFile(join(workspace, 'src', 'main.js'), 'console.log(1)\n')
  await symlink(join(root, 'beside'), join(workspace, 'linked'))
  await symlink(join(root, '.ssh', 'id'), join(workspace, 'innocent.txt'))
}

async function spokenBy({ sessions }: NodeApi, words: string, init: { private?: boolean } = {}): Promise<SessionId> {
  const { id } = await sessions.create(init)
  await sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: words }] })
  await ended({ sessions }, id)
  return id
}

export const ended = ({ sessions }: Pick<NodeApi, 'sessions'>, id: SessionId): Promise<unknown> =>
  eventually('the turn ended', async () => {
    const { state, seq } = await sessions.get(id)
    return state === 'idle' && seq > 1
  })

async function friendsSession(friend: RawPeer, api: NodeApi): Promise<SessionId> {
  const { items } = await friend.call('create', {})
  const { id } = items[0] as { id: SessionId }
  await promptBy(friend, id, SECRETS['the words of another peer'])
  await ended(api, id)
  return id
}

export const promptBy = (peer: RawPeer, id: string, text: string): ReturnType<RawPeer['call']> =>
  peer.call('prompt', { id, promptId: newPromptId(), content: [{ type: 'text', text }] })

function listening(peer: RawPeer): Insider {
  let heard = ''
  const { call } = peer
  return Object.assign(peer, {
    call: async (method: string, params: unknown) => {
      const answer = await call(method, params)
      heard += JSON.stringify(answer.items)
      return answer
    },
    heard: () => heard,
  })
}

/** What an attack could leave: files beside the workspace and in it, decisions, something in the sessions of others. */
async function traces({ home, workspace }: Machine, { trust, sessions }: NodeApi, foreign: readonly SessionId[]): Promise<unknown> {
  const root = dirname(home)
  const places = [root, join(root, '.ssh'), join(root, 'beside'), workspace]
  const files = await Promise.all(places.map(async (path) => (await readdir(path)).filter((name) => !name.startsWith('fine')).toSorted()))
  const kept = await readFile(join(root, 'beside', 'notes.txt'), 'utf8')
  const config = await readFile(join(home, 'config.toml'), 'utf8')
  const known = await Promise.all(foreign.map(async (id) => await sessions.get(id)))
  return {
    files,
    kept,
    config,
    sessions: known.map(({ id, title, seq, shares, private: isPrivate }) => ({ id, title, seq, shares, isPrivate })),
    peers: (await trust.list()).map(({ peerId, role, trust: state }) => [peerId, role, state]),
  }
}
