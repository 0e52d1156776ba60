import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually, spawnScriptedLlm } from '@qmtcode/testing'
import { createLab, labSkip } from '@qmtcode/testing/lab'
import { createMachine } from '../support/qmt.ts'

const STRANGER = fileURLToPath(new URL('../support/stranger-looks.ts', import.meta.url))
const FREE = ['canary-prompt-71c', 'canary-answer-82d', 'canary-model-93e', 'canary-agent-04f', 'canary-title-15a', 'canary-user-key-26b']
const NAME = 'canary-host-37c'

/** What a stranger that connects was told; see the script. */
interface Seen {
  agentVersion: string
  protocols: string[]
  listenAddrs: string[]
  hello: Record<string, unknown>
  refused: Record<string, string>
}

test(
  'an outsider on the wire sees no prompt, answer, model or name; a stranger that connects learns what security.md lists',
  { skip: labSkip('tcpdump') },
  async () => {
    await using owned = new AsyncDisposableStack()
    const lab = owned.use(await createLab())
    const lan = await lab.lan()
    const [left, right, street] = [await lab.host('left', { lan }), await lab.host('right', { lan }), await lab.host('street', { lan })]
    const llm = owned.use(await spawnScriptedLlm({ always: FREE[1] ?? '' }, { on: right }))
    const server = owned.use(await createMachine({ RACK_KEY: FREE[5] ?? '' }, { on: right }))
    const laptop = owned.use(await createMachine({}, { on: left }))
    const serverId = await server.peerId()
    const pcap = join(laptop.workspace, 'wire.pcap')
    // All that passes on both hosts' cables, mDNS too; the provider's own HTTP stays on loopback.
    const sniffer = right.spawn('tcpdump', ['-i', 'eth0', '-U', '-s', '0', '-w', pcap, '-Z', 'root'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    await eventually('tcpdump listens', async () => (await readFile(pcap).catch(() => Buffer.alloc(0))).length > 0)
    await server.writeConfig(`
[mesh]
node_name = "${NAME}"
[mesh.share]
models = ["*"]
[agent]
provider = "rack"
model = "${FREE[2]}"
[providers.rack]
kind = "openai-compatible"
base_url = "${llm.url}"
api_key = "\${RACK_KEY}"
[[mesh.peers]]
name = "laptop"
peer_id = "${await laptop.peerId()}"
role = "client"
use = false
`)
    await server.start(['--headless', '--mesh']).line(/listening: /)
    const address = `/ip4/${right.address}/tcp/9000`
    await laptop.writeConfig(`[mesh]\nnode_name = "laptop"\n[[mesh.peers]]\nname = "gpu"\naddr = "${address}/p2p/${serverId}"\n`)
    const ran = await laptop.run(['run', '--model', `gpu:rack/${FREE[2]}`, FREE[0] ?? ''])
    assert.equal(ran.code, 0, ran.stderr)
    assert.match(ran.stdout, new RegExp(FREE[1] ?? ''))

    const looked = await street.exec(process.execPath, STRANGER, `${address}/p2p/${serverId}`)
    const seen = JSON.parse(looked) as Seen
    assert.equal(seen.agentVersion.split('/')[0], 'qmtcode')
    assert.deepEqual(Object.keys(seen.hello).toSorted(), ['command', 'name', 'services', 'state', 'v', 'version'])
    assert.equal(seen.hello['name'], NAME) // the one name that a stranger is told
    assert.deepEqual(seen.hello['services'], [])
    for (const canary of FREE) assert.ok(!looked.includes(canary), `a stranger learns ${canary}`)
    assert.ok(Object.keys(seen.refused).length >= 4)
    for (const [protocol, fate] of Object.entries(seen.refused)) assert.equal(fate, 'reset', protocol)

    sniffer.kill('SIGINT')
    await once(sniffer, 'exit')
    const wire = await readFile(pcap)
    assert.ok(wire.length > 10_000, `${wire.length} bytes`)
    for (const canary of [...FREE, NAME, 'canary']) assert.ok(!wire.includes(canary), `${canary} passed in the clear`)
    // What is in the clear: the announcement of mDNS, and that it is libp2p.
    assert.ok(wire.includes(serverId), 'mDNS tells the peer id')
    assert.ok(wire.includes('/multistream/1.0.0'))
  },
)
