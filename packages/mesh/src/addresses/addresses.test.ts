import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { isAppError } from '@qmtcode/protocol'
import { classifyMeshAddress } from './local-addresses.ts'
import { readAddress } from './mesh-address.ts'
import { parseDialAddress, parseListenAddress } from './multiaddrs.ts'
import { byReach, dialableAddresses } from './reach.ts'

const ID = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'

for (const [parse, written, code, message, hint] of [
  [parseDialAddress, '/ip4/10.0.0.1/udp/9/webrtc-direct/certhash/uEiA', 'unsupported', /WebRTC is not/, /: \/ip4\/10\.0\.0\.1\/tcp\/9$/],
  [parseDialAddress, '/ip6/fe80::1/tcp/9000', 'bad_config', /link-local/, undefined],
  [parseListenAddress, '9001', 'bad_config', /"9001" is no usable address: /, /^did you mean \/ip4\/0\.0\.0\.0\/tcp\/9001\?$/],
] as const) {
  test(`${parse.name}(${JSON.stringify(written)}) says why not, and what can be used`, () => {
    assert.throws(
      () => parse(written),
      (error) => {
        assert.ok(isAppError(error, code), String(error))
        assert.match(error.message, message)
        if (hint) assert.match(error.hint ?? '', hint)
        else assert.equal(error.hint, undefined)
        return true
      },
    )
  })
}

const LOCAL = ['127.0.0.1', '::1', '192.168.1.5', 'fd00::5']

for (const [written, meaning] of [
  ['/ip4/0.0.0.0/tcp/9000', 'listen'],
  ['/ip6/::/tcp/9000', 'listen'],
  ['/tcp/9000', 'listen'],
  ['/udp/9000/quic', 'listen'],
  ['/ip4/127.0.0.1/tcp/9000', 'listen'],
  ['/ip4/192.168.1.5/tcp/9000', 'listen'],
  ['/ip6/fd00::5/tcp/9000', 'listen'],
  ['/ip4/192.168.1.6/tcp/9000', 'dial'],
  [`/ip4/127.0.0.1/tcp/9000/p2p/${ID}`, 'dial'],
  ['/dns4/gpu-box/tcp/9000', 'dial'],
] as const) {
  test(`--mesh=${written} is to ${meaning}`, () => {
    const reading = readAddress(written, 'either')
    assert.equal(reading.ok && classifyMeshAddress(reading.address, LOCAL), meaning)
  })
}

test('a wildcard is shown as the addresses of the interfaces, loopback last', () => {
  const shown = dialableAddresses([multiaddr('/ip4/0.0.0.0/tcp/9000'), multiaddr('/ip6/::/tcp/9001')], LOCAL).map(String)
  assert.deepEqual(shown, ['/ip4/192.168.1.5/tcp/9000', '/ip6/fd00::5/tcp/9001', '/ip4/127.0.0.1/tcp/9000', '/ip6/::1/tcp/9001'])
})

test('TCP is tried before QUIC where both are as near, a nearer QUIC before a farther TCP', () => {
  const written = ['/ip4/9.9.9.9/tcp/1', '/ip4/10.1.1.1/udp/1/quic-v1', '/ip4/9.9.9.9/udp/1/quic-v1', '/ip4/10.1.1.1/tcp/1']
  assert.deepEqual(byReach(written.map((text) => multiaddr(text))).map(String), [
    '/ip4/10.1.1.1/tcp/1',
    '/ip4/10.1.1.1/udp/1/quic-v1',
    '/ip4/9.9.9.9/tcp/1',
    '/ip4/9.9.9.9/udp/1/quic-v1',
  ])
})

for (const [parse, written, read] of [
  [parseListenAddress, '/udp/9000/quic', '/ip4/0.0.0.0/udp/9000/quic-v1'],
  [parseDialAddress, `/ip4/10.0.0.1/udp/9000/quic/p2p/${ID}`, `/ip4/10.0.0.1/udp/9000/quic-v1/p2p/${ID}`],
  [parseDialAddress, '/dns4/gpu-box/udp/9000/quic-v1', '/dns4/gpu-box/udp/9000/quic-v1'],
  [parseDialAddress, `/p2p/${ID}`, `/p2p/${ID}`],
  [parseListenAddress, '/ip6zone/eth0/ip6/fd00::5/tcp/9000', '/ip6zone/eth0/ip6/fd00::5/tcp/9000'],
] as const) {
  test(`${parse.name}(${JSON.stringify(written)}) is ${read}`, () => assert.equal(parse(written).toString(), read))
}

test('private addresses are tried before public ones, loopback after, relays last', () => {
  const relayed = `/ip4/9.9.9.9/tcp/1/p2p/${ID}/p2p-circuit`
  const sorted = byReach([relayed, '/ip4/127.0.0.1/tcp/1', '/ip4/9.9.9.9/tcp/1', '/ip4/10.1.1.1/tcp/1'].map((text) => multiaddr(text))).map(
    String,
  )
  assert.deepEqual(sorted, ['/ip4/10.1.1.1/tcp/1', '/ip4/9.9.9.9/tcp/1', '/ip4/127.0.0.1/tcp/1', relayed])
})
