import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { LIMITS, isAppError, silentLogger } from '@qmtcode/protocol'
import type { ModelOffer, PeerId } from '@qmtcode/protocol'
import { createDirectory } from './directory.ts'
import { createOwnRecord } from './own-record.ts'
import type { OwnRecord } from './own-record.ts'
import { openRecord, signRecord } from './record.ts'
import type { NodeRecord } from './record.ts'

const key = await generateKeyPair('Ed25519')
const other = await generateKeyPair('Ed25519')
const peerId = peerIdFromPrivateKey(key).toString() as PeerId
const otherId = peerIdFromPrivateKey(other).toString() as PeerId
const record: NodeRecord = { peerId, version: 1, name: 'n', software: '1', models: [], agents: [], labels: [], sessions: 0, addresses: [] }

function ownRecord(starts = 1): OwnRecord {
  const addresses = (): string[] => ['/ip4/10.0.0.1/tcp/1']
  return createOwnRecord({ log: silentLogger, key, addresses }, { peerId, name: 'n', software: '1', starts, loadMs: 5 })
}

const offer = (i: number): ModelOffer => ({
  id: `p/${'m'.repeat(100)}${i}`,
  provider: 'p',
  model: `${'m'.repeat(100)}${i}`,
  slots: 1,
  inFlight: 0,
})

test('a record says who made it', async () => {
  assert.deepEqual(await openRecord(await signRecord(record, key), peerId), record)
})

for (const [what, make] of [
  ['signed by another', async () => await signRecord(record, other)],
  ['changed on the way', async () => ({ ...(await signRecord(record, key)), payload: JSON.stringify({ ...record, name: 'evil' }) })],
  ['with a garbled signature', async () => ({ ...(await signRecord(record, key)), signature: '!' })],
  ['of another node', async () => await signRecord({ ...record, peerId: otherId }, key)],
  ['that is no JSON', async () => await signed('{')],
  ['that nests without end', async () => await signed('['.repeat(5_000))],
  ['with too many labels', async () => await signRecord({ ...record, labels: Array.from({ length: 51 }, String) }, key)],
  ['with a name for terminals', async () => await signRecord({ ...record, name: '\u001B[2J' }, key)],
] as const) {
  test(`a record ${what} is refused`, async () => {
    await assert.rejects(openRecord(await make(), peerId), (error) => isAppError(error, 'bad_request'))
  })
}

test('followers get the record now, each newer one, and the load; observers without models', async () => {
  const own = ownRecord()
  own.advertise({ models: [offer(1)], agents: [], labels: [], sessions: 1 })
  let showsModels = false
  const items = own.follow(() => showsModels, new AbortController().signal)[Symbol.asyncIterator]()
  const next = async (): Promise<NodeRecord> => {
    const { value } = await items.next()
    assert.equal(value.type, 'record')
    return await openRecord(value, peerId)
  }
  const first = await next()
  assert.deepEqual([first.models, first.sessions, first.addresses], [[], 1, ['/ip4/10.0.0.1/tcp/1']])
  showsModels = true
  own.wake()
  assert.deepEqual((await next()).models, [offer(1)])
  own.advertise({ models: [], agents: [], labels: ['x'], sessions: 2 })
  const later = await next()
  assert.ok(later.version > first.version)
  own.setLoad({ inFlight: 1, slots: 1, queued: 0 })
  own.setLoad({ inFlight: 2, slots: 2, queued: 0 })
  assert.deepEqual(await items.next(), { done: false, value: { type: 'load', load: { inFlight: 2, slots: 2, queued: 0 } } })
  own.stop()
})

test('a later start of a node has newer records', async () => {
  const versions: number[] = []
  for (const starts of [1, 2]) {
    for await (const item of ownRecord(starts).follow(() => true, new AbortController().signal)) {
      if (item.type === 'record') versions.push((await openRecord(item, peerId)).version)
      break
    }
  }
  assert.ok((versions[1] ?? 0) > (versions[0] ?? 0))
})

test('what does not fit into a record is left out of it', async () => {
  const own = ownRecord()
  own.advertise({ models: Array.from({ length: 900 }, (_, i) => offer(i)), agents: [], labels: [], sessions: 0 })
  for await (const item of own.follow(() => true, new AbortController().signal)) {
    assert.ok(item.type === 'record' && item.payload.length <= LIMITS.recordBytes)
    assert.ok((await openRecord(item, peerId)).models.length > 100)
    break
  }
})

async function signed(payload: string): Promise<{ type: 'record'; payload: string; signature: string }> {
  const signature = await key.sign(new TextEncoder().encode(`qmt-directory-record-1\n${payload}`))
  return { type: 'record', payload, signature: Buffer.from(signature).toString('base64') }
}

test('a peer that greets while its node stops is not followed', async () => {
  let asked = 0
  const directory = createDirectory({
    log: silentLogger,
    clientOf: () => void (asked += 1),
    claimName: () => Promise.resolve(true),
    onChange: () => undefined,
  })
  await directory.stop()
  directory.join(otherId)
  directory.leave(otherId)
  assert.equal(asked, 0)
})
