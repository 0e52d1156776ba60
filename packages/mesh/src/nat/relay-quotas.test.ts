import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StreamMessageEvent } from '@libp2p/interface'
import type { Stream } from '@libp2p/interface'
import { systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { createRelayLedger } from './relay-quotas.ts'

const PEER = 'peer' as PeerId
const MIB = 1_048_576

function fakeStream() {
  const said: string[] = []
  const stream = Object.assign(new EventTarget(), {
    pause: () => said.push('pause'),
    resume: () => said.push('resume'),
    abort: (error: Error) => said.push(error.message),
    send: () => true,
  })
  const arrive = (bytes: number): boolean => stream.dispatchEvent(new StreamMessageEvent(new Uint8Array(bytes)))
  return { stream: stream as unknown as Stream, said, arrive, close: () => stream.dispatchEvent(new Event('close')) }
}

test('a peer has so many circuits and no more; one that ended makes place', () => {
  const ledger = createRelayLedger({ clock: systemClock }, { circuits: 2, bytesPerHour: MIB })
  const first = fakeStream()
  ledger.open(PEER, first.stream)
  ledger.open(PEER, fakeStream().stream)
  assert.throws(() => ledger.open(PEER, fakeStream().stream), /2 circuits already/)
  ledger.open('other' as PeerId, fakeStream().stream)
  first.close()
  ledger.open(PEER, fakeStream().stream)
  assert.equal(ledger.circuits(), 3)
})

test('both directions count for the one that opened it; above its share its circuits end', () => {
  const ledger = createRelayLedger({ clock: systemClock }, { circuits: 2, bytesPerHour: 100 })
  const [source, destination] = [fakeStream(), fakeStream()]
  ledger.open(PEER, source.stream).join(destination.stream)
  source.arrive(60)
  destination.arrive(40)
  assert.deepEqual(source.said, [])
  destination.arrive(1)
  assert.deepEqual(source.said, ['it had its share of this relay for this hour'])
  assert.throws(() => ledger.open(PEER, fakeStream().stream), /share/)
})

test('a slow receiver stops the sender until it has taken what waits', async () => {
  const ledger = createRelayLedger({ clock: systemClock }, { circuits: 2, bytesPerHour: 100 * MIB })
  const [source, destination] = [fakeStream(), fakeStream()]
  ledger.open(PEER, source.stream).join(destination.stream)
  source.arrive(2 * MIB)
  await Promise.resolve()
  assert.deepEqual(source.said, ['pause'])
  destination.stream.send(new Uint8Array(MIB))
  assert.deepEqual(source.said, ['pause'])
  destination.stream.send(new Uint8Array(MIB))
  assert.deepEqual(source.said, ['pause', 'resume'])
})
