import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { eventually, spawnScriptedLlm } from '@qmtcode/testing'
import { labSkip } from '@qmtcode/testing/lab'
import { openNodeApi } from '../support/node-api.ts'
import { configOf, createGround, peerTable } from './nat-ground.ts'

const CANARY = 'canary-4711-sings'

describe('relay', { skip: labSkip('tcpdump') }, () => {
  test('a model call over a relay: the relay sees no word of it, and carries the link again after it was away', async () => {
    await using ground = await createGround([
      { name: 'a', place: 'symmetric' },
      { name: 'b', place: 'port-restricted' },
    ])
    const [a, b] = ground.nodes
    assert.ok(a && b)
    await using llm = await spawnScriptedLlm({ always: CANARY }, { on: b.host })
    const rack = `[providers.rack]\nkind = "openai-compatible"\nbase_url = "${llm.url}"\napi_key = "none"\n[agent]\nmodel = "rack/scripted"\n`
    await a.machine.writeConfig(configOf(a, ground, { peers: peerTable(b) }))
    await b.machine.writeConfig(`${configOf(b, ground, { peers: peerTable(a) })}${rack}`)
    const capture = join(ground.relay.machine.workspace, 'wire.pcap')
    const dump = ground.relay.host.spawn('tcpdump', ['-U', '-i', 'any', '-w', capture, 'tcp', 'port', '9000'], { stdio: 'ignore' })
    const node = a.machine.start(['--headless', '--mesh'])
    b.machine.start(['--headless', '--mesh'])
    await node.line(/b.*connected|connected.*b/)
    const ran = await a.machine.run(['run', `${CANARY}?`, '--model', 'b:rack/scripted'])
    assert.equal(ran.code, 0, ran.stderr)
    assert.match(ran.stdout, new RegExp(CANARY))
    await using api = await openNodeApi(a.machine)
    const row = async () => (await api.peers.list()).find(({ peerId }) => peerId === b.peerId)
    assert.equal((await row())?.relayed, true)
    const doctor = await a.machine.run(['doctor'])
    assert.match(doctor.stdout.replaceAll(/\s+/g, ' '), new RegExp(`behind a symmetric NAT \\(seen as ${a.nat?.address ?? ''}:\\d+\\)`))
    dump.kill('SIGINT')
    const wire = await eventually('the capture is written', async () => {
      const bytes = await readFile(capture)
      return bytes.byteLength > 5_000 ? bytes : undefined
    })
    assert.equal(wire.includes(CANARY), false)
    await ground.relay.restart()
    await eventually('the link is gone', async () => (await row())?.state !== 'connected', 20_000)
    await eventually('it is back', async () => (await row())?.state === 'connected', 30_000)
  })
})
