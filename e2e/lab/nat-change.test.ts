import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually, spawnScriptedLlm } from '@qmtcode/testing'
import { labSkip } from '@qmtcode/testing/lab'
import { openNodeApi } from '../support/node-api.ts'
import { eventsOf } from '../support/output.ts'
import { configOf, createGround, peerTable } from './nat-ground.ts'

// From when STUN is there: a way through both NATs within some seconds, then the relayed line has six to end its calls.
const WORDS = Array.from({ length: 250 }, (_, at) => `[${at}]`)
const GAP_MS = 80

describe('two NATs', { skip: labSkip() }, () => {
  test('an answer that began over the relay goes on, whole, over the way that both open through their NATs', async () => {
    await using ground = await createGround([
      { name: 'a', place: 'port-restricted' },
      { name: 'b', place: 'port-restricted' },
    ])
    const [a, b] = ground.nodes
    assert.ok(a && b)
    await using llm = await spawnScriptedLlm({ always: [{ text: WORDS, gapMs: GAP_MS }] }, { on: b.host })
    const rack = `[providers.rack]\nkind = "openai-compatible"\nbase_url = "${llm.url}"\napi_key = "none"\n[agent]\nmodel = "rack/scripted"\n`
    await a.machine.writeConfig(configOf(a, ground, { peers: peerTable(b) }))
    await b.machine.writeConfig(`${configOf(b, ground, { peers: peerTable(a) })}${rack}`)
    const noStun = await ground.relay.host.block({ protocol: 'udp' })
    const far = b.machine.start(['--headless', '--mesh'])
    await far.line(/listening: /)
    const ran = a.machine.start(['run', '--json', 'count', '--model', 'b:rack/scripted'])
    await ran.line(/"message\.delta"/)
    await using api = await openNodeApi(b.machine)
    const row = async () => (await api.peers.list()).find(({ peerId }) => peerId === a.peerId)
    assert.equal((await row())?.relayed, true)
    await noStun[Symbol.asyncDispose]()
    const direct = await eventually('it is direct', async () => {
      const found = await row()
      return found?.relayed === false ? found : undefined
    })
    assert.equal(direct.punched, true)
    assert.match(direct.address ?? '', new RegExp(`^/ip4/${a.nat?.address.replaceAll('.', '\\.')}/udp/\\d+/quic-v1$`))
    const { code, stdout, stderr } = await ran.ended
    assert.equal(code, 0, stderr)
    const events = eventsOf(stdout)
    assert.equal(events.find((event) => event.type === 'message.completed')?.text, WORDS.join(''))
    assert.deepEqual(
      events.flatMap(({ type }) => (type === 'link.lost' || type === 'link.restored' ? [type] : [])),
      ['link.lost', 'link.restored'],
    )
  })
})
