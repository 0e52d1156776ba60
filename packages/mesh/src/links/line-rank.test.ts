import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { mayBeBetter, wayCost } from './line-rank.ts'

const RELAY = '/ip4/45.77.10.2/tcp/9000/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit'
const IN_ORDER = [
  '/ip4/192.168.1.7/tcp/9000',
  '/ip4/192.168.1.7/udp/9000/quic-v1',
  '/ip6/2001:db8::7/tcp/9000',
  '/ip4/45.77.10.3/udp/9000/quic-v1',
  RELAY,
]

test('direct before relayed, private before public, TCP before QUIC', () => {
  const costs = IN_ORDER.map((text) => wayCost(multiaddr(text)))
  assert.deepEqual(
    costs,
    costs.toSorted((a, b) => a - b),
  )
  assert.equal(new Set(costs).size, costs.length)
  assert.equal(wayCost(multiaddr('/ip6/fd77::2/tcp/9000')), wayCost(multiaddr('/ip4/127.0.0.1/tcp/9000')))
})

const CASES: [linked: string, address: string, isTried: boolean, why: string][] = [
  ['/ip4/45.77.10.3/tcp/9000', '/ip4/192.168.1.7/tcp/9000', true, 'a network in common'],
  ['/ip4/45.77.10.3/tcp/9000', '/ip4/172.17.0.1/tcp/9000', false, 'a private address of elsewhere is somebody else here'],
  ['/ip4/45.77.10.3/tcp/9000', '/ip4/127.0.0.1/tcp/9000', false, 'its loopback is not ours'],
  ['/ip4/45.77.10.3/udp/9000/quic-v1', '/ip4/45.77.10.3/tcp/9000', true, 'TCP where it answers over QUIC'],
  ['/ip4/172.17.0.9/udp/9000/quic-v1', '/ip4/172.17.0.9/tcp/9000', true, 'the same, in a network behind a router'],
  ['/ip4/45.77.10.3/tcp/9000', '/ip4/45.77.10.3/udp/9000/quic-v1', false, 'QUIC is no better than TCP'],
  ['/ip4/192.168.1.7/tcp/9000', '/ip4/192.168.1.8/tcp/9000', false, 'as good is not better'],
  [RELAY, '/ip4/172.17.0.1/tcp/9000', true, 'over a relay everything direct is tried'],
]

for (const [linked, address, isTried, why] of CASES) {
  test(`linked at ${linked.slice(0, 40)}, ${address} is ${isTried ? '' : 'not '}tried: ${why}`, () => {
    const isOnOwnNetwork = (host: string): boolean => host.startsWith('192.168.1.')
    assert.equal(mayBeBetter(multiaddr(address), { remoteAddr: multiaddr(linked) }, isOnOwnNetwork), isTried)
  })
}
