import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { PeerId, SessionId } from '@qmtcode/protocol'
import type { Bench, BenchContext } from './support/bench.ts'
import type { Program, Role } from './support/children.ts'
import { install } from './support/install.ts'
import { residentBytes } from './support/machine.ts'
import { startHost } from './support/product.ts'
import { interleaved, rowOf, sides, skipped } from './support/rounds.ts'
import { SENTENCES, fill } from './support/session-events.ts'
import { startSessionNode } from './support/session-node.ts'
import { median } from './support/stats.ts'

const VERSION = '1.18.33'
const HOME = new URL('opencode/', import.meta.url)
const BIN = new URL(`node_modules/opencode-${process.platform}-${process.arch}/bin/opencode`, HOME)
const INSTALLED_BYTES = 190e6
const MESSAGES = 400
const AT_ONCE = 16
const RUNS = 5 // of a round: its median
const MB = 1_000_000
const WAYS = ['mesh', 'opencode'] as const

const rows = {
  replay: {
    bench: 'opencode',
    what: `replay of ${MESSAGES} messages to a client: opencode serve ${VERSION} against ours`,
    unit: '×',
    budget: { atLeast: 1 },
  },
  memory: {
    bench: 'opencode',
    what: `resident memory with that session: opencode serve ${VERSION} against ours`,
    unit: '×',
    budget: { atLeast: 1 },
  },
}

/** What `opencode attach` waits for, from its server over loopback HTTP, beside `qmtcode attach` from a node over the mesh. */
export const opencode: Bench = {
  name: 'opencode',
  async run(context) {
    const problem = await install({ name: `opencode ${VERSION}`, home: HOME, proof: BIN, bytes: INSTALLED_BYTES, say: context.say })
    if (problem !== undefined) return [skipped(rows.replay, problem), skipped(rows.memory, problem)]
    const ours = await openOurs(context)
    const theirs = await openTheirs(context)
    const once = { opencode: theirs.replay, mesh: ours.replay }
    for (const way of WAYS) await once[way]()
    const times = await interleaved(context.rounds, WAYS, (way) => once[way]())
    const megabytes = { opencode: residentBytes(theirs.program.pid) / MB, mesh: residentBytes(ours.program.pid) / MB }
    const note = `ms: ${sides(times, WAYS, (way, index) => times[index]?.[way] ?? Number.NaN)}`
    return [
      rowOf(
        { ...rows.replay, note },
        times.map((time) => time.opencode / time.mesh),
      ),
      Number.isNaN(megabytes.mesh)
        ? skipped(rows.memory, 'this system does not tell (no /proc)')
        : rowOf({ ...rows.memory, note: `MB: ${sides([megabytes], WAYS, (way) => megabytes[way])}` }, [
            megabytes.opencode / megabytes.mesh,
          ]),
    ]
  },
}

interface Side {
  program: Program
  /** Milliseconds until a client has all messages. */
  replay(): Promise<number>
}

async function openOurs({ children, directory }: BenchContext): Promise<Side> {
  const id = await filled(join(directory, 'host', 'home'))
  const client: Role = children.role(new URL('roles/followers.ts', import.meta.url))
  const crowd = { directory: join(directory, 'client'), count: 1 }
  const guests = await client.call<PeerId[]>('identities', crowd)
  const { program, place } = await startHost(children, { directory: join(directory, 'host'), guests, role: 'admin' })
  await client.call('connect', { ...crowd, host: place })
  const replay = async (): Promise<number> => median(await client.call<number[]>('attach', { id, way: 'all', rounds: 1 }))
  return { program, replay }
}

/** A log that a node finds at its start. */
async function filled(home: string): Promise<SessionId> {
  const { sessions, log } = await startSessionNode({ directory: home, runTurn: () => Promise.reject(new Error('nothing runs')) })
  const { id } = await sessions.create({})
  await fill(log, id, MESSAGES)
  await log.stop()
  return id
}

async function openTheirs({ children, directory }: BenchContext): Promise<Side> {
  const workspace = join(directory, 'opencode', 'workspace')
  await mkdir(workspace, { recursive: true })
  const program = children.command([fileURLToPath(BIN), 'serve', '--port', '0', '--pure'], {
    env: opencodeEnv(join(directory, 'opencode')),
    cwd: workspace,
  })
  const [, url = ''] = await program.line(/listening on (http:\S+)/)
  const { id } = (await ask(`${url}/session`, {})) as { id: string }
  const messages = `${url}/session/${id}/message`
  let sent = 0
  const send = async (): Promise<void> => {
    while (sent < MESSAGES) {
      sent += 1
      await ask(messages, { noReply: true, parts: [{ type: 'text', text: SENTENCES }] })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, send))
  const replay = async (): Promise<number> => {
    const durations: number[] = []
    for (let count = 0; count < RUNS; count += 1) {
      const startedAt = performance.now()
      const all = (await ask(messages)) as unknown[]
      durations.push(performance.now() - startedAt)
      if (all.length !== MESSAGES) throw new Error(`opencode gave ${all.length} messages`)
    }
    return median(durations)
  }
  return { program, replay }
}

/** With a home of its own, and nothing that asks the internet. */
const opencodeEnv = (home: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: home,
  XDG_DATA_HOME: join(home, 'data'),
  XDG_CONFIG_HOME: join(home, 'config'),
  XDG_CACHE_HOME: join(home, 'cache'),
  XDG_STATE_HOME: join(home, 'state'),
  OPENCODE_DISABLE_AUTOUPDATE: '1',
  OPENCODE_DISABLE_MODELS_FETCH: '1',
  OPENCODE_CONFIG_CONTENT: JSON.stringify({
    model: 'mock/none',
    provider: {
      mock: { npm: '@ai-sdk/openai-compatible', name: 'mock', options: { baseURL: 'http://127.0.0.1:9/v1' }, models: { none: {} } },
    },
  }),
})

async function ask(url: string, body?: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, body && { method: 'POST', headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${url}: status ${response.status}: ${(await response.text()).slice(0, 200)}`)
  return await response.json()
}
