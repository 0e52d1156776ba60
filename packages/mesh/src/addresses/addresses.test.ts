import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { isAppError } from '@qmtcode/protocol'
import { byReach, classifyMeshAddress, dialableAddresses } from './local-addresses.ts'
import { normaliseAddress, parseDialAddress, parseListenAddress } from './multiaddrs.ts'

const ID = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'

for (const [written, means] of [
  ['/ip4/0.0.0.0/tcp/9000', '/ip4/0.0.0.0/tcp/9000'],
  ['/tcp/9000', '/ip4/0.0.0.0/tcp/9000'],
  ['/udp/9000/quic', '/ip4/0.0.0.0/udp/9000/quic-v1'],
  ['/ip6/::1/tcp/0', '/ip6/::1/tcp/0'],
  [`/ip4/10.0.0.1/tcp/1/ipfs/${ID}`, `/ip4/10.0.0.1/tcp/1/p2p/${ID}`],
] as const) {
  test(`${written} means ${means}`, () => assert.equal(normaliseAddress(written).toString(), means))
}

for (const [parse, written, code, message, hint] of [
  [parseListenAddress, '/udp/9000/quic', 'unsupported', /QUIC is not built yet/, /\/ip4\/0\.0\.0\.0\/tcp\/9000/],
  [parseDialAddress, '/ip4/10.0.0.1/udp/9000/quic', 'unsupported', /QUIC is not built yet/, /\/ip4\/10\.0\.0\.1\/tcp\/9000/],
  [parseListenAddress, '', 'bad_config', /no usable address/, /\/ip4\/0\.0\.0\.0\/tcp\/9000/],
  [parseListenAddress, '/', 'bad_config', /no usable address/, /\/ip4\/0\.0\.0\.0\/tcp\/9000/],
  [parseListenAddress, '9001', 'bad_config', /no usable address/, /\/ip4\/0\.0\.0\.0\/tcp\/9001/],
  [parseListenAddress, '/foo/1', 'bad_config', /no usable address/, /tcp\/9000/],
  [parseListenAddress, '/ip4/300.0.0.1/tcp/9000', 'bad_config', /no usable address/, /tcp/],
  [parseListenAddress, '/ip4/127.0.0.1/tcp/99999', 'bad_config', /no usable address/, /tcp/],
  [parseListenAddress, '/ip4/127.0.0.1', 'bad_config', /only TCP/, /\/ip4\/127\.0\.0\.1\/tcp\/9000/],
  [parseListenAddress, `/ip4/127.0.0.1/tcp/1/p2p/${ID}`, 'bad_config', /no \/p2p/, /\/ip4\/127\.0\.0\.1\/tcp\/1\?/],
  [parseListenAddress, '/dns4/host/tcp/9000', 'bad_config', /dns4 name/, /\/ip4\/0\.0\.0\.0\/tcp\/9000/],
  [parseDialAddress, 'gpu-box:9000', 'bad_config', /no usable address/, /\/dns4\/gpu-box\/tcp\/9000/],
  [parseDialAddress, '10.0.0.7:9001', 'bad_config', /no usable address/, /\/ip4\/10\.0\.0\.7\/tcp\/9001/],
  [parseDialAddress, '[::1]:9001', 'bad_config', /no usable address/, /\/ip6\/::1\/tcp\/9001/],
  [parseDialAddress, '/tcp/9000', 'bad_config', /names no host/, /\/ip4\/.*\/tcp\/9000/],
  [parseDialAddress, '/ip4/0.0.0.0/tcp/9000', 'bad_config', /wildcard/, /tcp\/9000/],
  [parseDialAddress, '/ip4/10.0.0.1/tcp/0', 'bad_config', /port 0/, /\/ip4\/10\.0\.0\.1\/tcp\/9000/],
  [parseDialAddress, '/ip4/10.0.0.1/tcp/1/p2p/nopeer', 'bad_config', /no/, undefined],
] as const) {
  test(`${parse.name}(${JSON.stringify(written)}) says why not, and the nearest right form`, () => {
    assert.throws(
      () => parse(written),
      (error) => {
        assert.ok(isAppError(error, code), String(error))
        assert.match(error.message, message)
        if (hint) assert.match(error.hint ?? '', hint)
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
  test(`--mesh=${written} is to ${meaning}`, () => assert.equal(classifyMeshAddress(written, LOCAL), meaning))
}

test('a wildcard is shown as the addresses of the interfaces, loopback last', () => {
  const shown = dialableAddresses([multiaddr('/ip4/0.0.0.0/tcp/9000'), multiaddr('/ip6/::/tcp/9001')], LOCAL).map(String)
  assert.deepEqual(shown, ['/ip4/192.168.1.5/tcp/9000', '/ip6/fd00::5/tcp/9001', '/ip4/127.0.0.1/tcp/9000', '/ip6/::1/tcp/9001'])
})

test('private addresses are tried before public ones, loopback after, relays last', () => {
  const relayed = `/ip4/9.9.9.9/tcp/1/p2p/${ID}/p2p-circuit`
  const sorted = byReach([relayed, '/ip4/127.0.0.1/tcp/1', '/ip4/9.9.9.9/tcp/1', '/ip4/10.1.1.1/tcp/1'].map((text) => multiaddr(text))).map(
    String,
  )
  assert.deepEqual(sorted, ['/ip4/10.1.1.1/tcp/1', '/ip4/9.9.9.9/tcp/1', '/ip4/127.0.0.1/tcp/1', relayed])
})
