import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { HELLO, dial, fate, stranger } from '../../packages/mesh/src/testing/stranger.ts'
import { encodeHello } from '../../packages/mesh/src/handshake/hello.ts'
import { intrude, quantile, sample, startTarget } from './target.ts'

const IDENTITIES = sample('QMT_STRANGERS', 100)
/** What others run, and a node of ours might one day. */
const FOREIGN = ['/ipfs/kad/1.0.0', '/ipfs/id/push/1.0.0', '/libp2p/circuit/relay/0.2.0/hop', '/libp2p/autonat/1.0.0', '/meshsub/1.1.0']
const IDENTIFY = '/ipfs/id/1.0.0'
const HANDSHAKE = '/qmt/handshake/1'
const PING = '/ipfs/ping/1.0.0'

test(`${IDENTITIES} unknown identities, every protocol: identify, ping and the handshake open, and nothing else`, async (context) => {
  await using target = await startTarget()
  const closed = [...new Set([...target.protocols, ...FOREIGN])].filter((protocol) => ![IDENTIFY, HANDSHAKE, PING].includes(protocol))
  assert.ok(closed.filter((protocol) => protocol.startsWith('/qmt/')).length >= 5, closed.join())
  const before = await target.residentMb()
  const watch = target.watch()
  for (let done = 0; done < IDENTITIES; done += LANES) {
    await Promise.all(Array.from({ length: Math.min(LANES, IDENTITIES - done) }, (_, lane) => tryAll(target.address, closed, lane)))
  }
  const times = await watch.stop()
  const grown = (await target.residentMb()) - before
  context.diagnostic(
    `${closed.length} protocols × ${IDENTITIES}: grown by ${grown.toFixed(0)} MB; a friend's call p50 ${quantile(times, 0.5).toFixed(1)}, p99 ${quantile(times, 0.99).toFixed(1)} ms`,
  )
  assert.ok(grown < 150, `grown by ${grown} MB`)
  await target.check()
})

/** Addresses of this machine, since one gives five unknown peers a second. */
const LANES = process.platform === 'linux' ? 4 : 1

async function tryAll(address: string, closed: readonly string[], lane: number): Promise<void> {
  await using attacker = await stranger(lane % 2 === 0 ? 'tls' : 'noise', [], lane === 0 ? {} : { from: `127.0.1.${lane}` })
  const connection = await intrude(attacker, address)
  // One at a time: the stranger's own libp2p asks as well.
  await eventually('it is identified', async () => (await fate(connection, IDENTIFY)).startsWith('answered'))
  assert.equal(await fate(connection, PING, new Uint8Array(32)), 'answered 32')
  const ends = await Promise.all(closed.map((protocol) => fate(connection, protocol, new Uint8Array(64))))
  assert.deepEqual(
    ends.filter((end) => end !== 'reset'),
    [],
    closed.join(),
  )
  for (let i = 0; i < 2; i += 1) assert.match(await fate(connection, HANDSHAKE, encodeHello(HELLO)), /^answered/)
  assert.equal(await fate(connection, HANDSHAKE, encodeHello(HELLO)), 'reset')
  assert.equal(connection.status, 'open')
}

test('more streams, pings and bytes than a stranger needs end its connection', async () => {
  await using target = await startTarget()
  await using attacker = await stranger()
  const connection = await intrude(attacker, target.address)
  const opened = Array.from({ length: 500 }, async () => await fate(connection, PING, new Uint8Array(32), 2_000).catch(() => 'reset'))
  const ends = await Promise.all(opened)
  assert.ok(ends.filter((end) => end === 'answered 32').length < 100, ends.join())
  assert.notEqual(connection.status, 'open')
  await using another = await stranger()
  await dial(another, target)
  await target.check()
})
