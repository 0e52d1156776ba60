import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import type { ScriptedLlm } from '@qmtcode/testing'
import { lastingPort } from './support/lasting-port.ts'
import { eventsOf, eventsOfType } from './support/output.ts'
import { createMachine, ok, startHost } from './support/qmt.ts'
import type { Machine, Running } from './support/qmt.ts'

/** Two machines with an Ollama that no configuration names, and a laptop whose own is not running. */
const MODEL = 'qwen3:8b'
const ollama = async (says: string, port: number): Promise<ScriptedLlm> =>
  await startScriptedLlm(() => says, { plays: 'ollama', models: [MODEL], contextTokens: 16_384, port })

const owned = new AsyncDisposableStack()
const ports: Record<string, number> = {}
const servers: Record<string, ScriptedLlm> = {}
let laptop: Machine
let chat: Running

async function host(name: string, guest: string): Promise<string> {
  ports[name] = await lastingPort()
  servers[name] = await ollama(`from ${name}`, ports[name])
  const machine = owned.use(await createMachine({ OLLAMA_HOST: `127.0.0.1:${ports[name]}` }))
  const { address } = await startHost(machine, { guest, name })
  return `[[mesh.peers]]\nname = "${name}"\naddr = "${address}"\n`
}

before(async () => {
  laptop = owned.use(await createMachine({ OLLAMA_HOST: '127.0.0.1:1' }))
  const guest = await laptop.peerId()
  const peers = [await host('one', guest), await host('two', guest)].join('')
  const mesh = '[mesh]\nlisten = "/ip4/127.0.0.1/tcp/0"\ndiscovery = "none"\nnode_name = "laptop"\n'
  await laptop.writeConfig(`${mesh}${peers}[agent]\nprovider = "ollama"\nmodel = "${MODEL}"\npeer = "any"\n`)
  // One node for all commands: what failed is remembered by it.
  chat = laptop.start(['--headless', '--mesh'])
  await chat.line(/listening: /)
})
after(async () => {
  await owned.disposeAsync()
  for (const server of Object.values(servers)) await server.stop()
})

interface Row {
  id: string
  node: string
  state: string
  contextTokens?: number
}

async function rows(): Promise<Row[]> {
  const all = JSON.parse(ok(await laptop.run(['models', '--json'])).stdout) as Row[]
  return all.filter(({ id, node }) => id.includes(MODEL) && node !== 'laptop').toSorted((one, other) => (one.id < other.id ? -1 : 1))
}

async function asked() {
  const { code, stdout, stderr } = await laptop.run(['run', '--json', 'hello'])
  const events = eventsOf(stdout)
  const [route] = eventsOfType(events, 'route.chosen').slice(-1)
  return { code, stderr, said: eventsOfType(events, 'message.completed').at(-1)?.text, route, events }
}

test('what is found on a machine is listed there and offered to peers, with the window that the server tells', async () => {
  await eventually('both are listed', async () => (await rows()).length === 2)
  for (const row of await rows()) assert.deepEqual([row.state, row.contextTokens], ['up', 16_384])
})

test('any goes to a server that answers, and to the next one when its server has gone, before and after that is known', async () => {
  const first = await asked()
  assert.equal(first.code, 0, first.stderr)
  const near = first.route?.node ?? ''
  const far = near === 'one' ? 'two' : 'one'
  assert.equal(first.said, `from ${near}`)
  assert.equal(first.route?.reason, 'any')

  await servers[near]?.stop()
  const second = await asked()
  assert.equal(second.said, `from ${far}`, second.stderr)
  const third = await asked()
  assert.equal(third.said, `from ${far}`, third.stderr)

  const isDown = async (node: string): Promise<boolean> => (await rows()).find((row) => row.node === node)?.state === 'down'
  await eventually('the one that has gone is down', async () => (await isDown(near)) && !(await isDown(far)))
  const fourth = await asked()
  assert.equal(fourth.said, `from ${far}`)

  servers[near] = await ollama(`from ${near} again`, ports[near] ?? 0)
  await servers[far]?.stop()
  await eventually('the one that came back serves', async () => (await asked()).said === `from ${near} again`)
})

test('where no server answers, the error names what was tried, and the exit is not 0', async () => {
  for (const server of Object.values(servers)) await server.stop()
  const { code, stderr, said } = await asked()
  assert.notEqual(code, 0)
  assert.equal(said, undefined)
  assert.match(stderr, /connection refused; also tried: (one|two): [^;]+; (one|two): /)
})
