import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { addressProblem, readAddress } from './mesh-address.ts'
import type { AddressUse } from './mesh-address.ts'

const ID = '12D3KooWGC6tvWVEbLyNzTvq4bCg9UYRVWnLCfKFbTmzs4DWZy7X'
const RELAYED = `/ip4/10.0.0.1/tcp/9000/p2p/${ID}/p2p-circuit/p2p/${ID}`

const GOOD: [AddressUse, string, string][] = [
  ['listen', '/ip4/0.0.0.0/tcp/9000', '/ip4/0.0.0.0/tcp/9000'],
  ['listen', '/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0'],
  ['listen', '/ip6/::/tcp/9000', '/ip6/::/tcp/9000'],
  ['listen', '/tcp/9000', '/ip4/0.0.0.0/tcp/9000'],
  ['listen', '/udp/9000/quic', '/ip4/0.0.0.0/udp/9000/quic-v1'],
  ['listen', '/ip4/10.0.0.1/tcp/9000/', '/ip4/10.0.0.1/tcp/9000'],
  ['dial', '/ip4/192.168.1.100/tcp/9000', '/ip4/192.168.1.100/tcp/9000'],
  ['dial', `/ip6/fd00::5/udp/9000/quic-v1/p2p/${ID}`, `/ip6/fd00::5/udp/9000/quic-v1/p2p/${ID}`],
  ['dial', `/ip4/10.0.0.1/tcp/9000/ipfs/${ID}`, `/ip4/10.0.0.1/tcp/9000/p2p/${ID}`],
  ['dial', `/p2p/${ID}`, `/p2p/${ID}`],
  ['dial', '/dns4/gpu.example.org/tcp/443', '/dns4/gpu.example.org/tcp/443'],
  ['dial', '/ip6/FD00:0::5/tcp/09000', '/ip6/fd00::5/tcp/9000'],
  ['either', '/ip6/0:0:0:0:0:0:0:0/tcp/0', '/ip6/::/tcp/0'],
  ['dial', '/ip6zone/eth0/ip6/fd00::1/tcp/9000', '/ip6zone/eth0/ip6/fd00::1/tcp/9000'],
  ['dial', RELAYED, RELAYED],
  ['either', '/ip4/0.0.0.0/tcp/9000', '/ip4/0.0.0.0/tcp/9000'],
]
for (const [use, text, canonical] of GOOD) {
  test(`${use}: ${text} is ${canonical}`, () => {
    const reading = readAddress(text, use)
    assert.equal(reading.ok ? reading.address.address : addressProblem(reading), canonical)
    assert.equal(multiaddr(canonical).toString(), canonical)
  })
}

const NO_SLASH = 'not a multiaddr: it begins with "/"'
const BAD: [AddressUse, string, string][] = [
  ['dial', '', NO_SLASH],
  ['dial', '/', 'not a multiaddr: a part of it is empty'],
  ['dial', '192.168.1.100:9000', `${NO_SLASH} (did you mean "/ip4/192.168.1.100/tcp/9000"?)`],
  ['dial', '192.168.1.100', `${NO_SLASH} (did you mean "/ip4/192.168.1.100/tcp/9000"?)`],
  ['dial', 'gpu.local:9001', `${NO_SLASH} (did you mean "/dns4/gpu.local/tcp/9001"?)`],
  ['dial', 'http://gpu:8080/', `${NO_SLASH} (did you mean "/dns4/gpu/tcp/8080"?)`],
  ['dial', '[fd00::5]:9000', `${NO_SLASH} (did you mean "/ip6/fd00::5/tcp/9000"?)`],
  ['dial', '::1', `${NO_SLASH} (did you mean "/ip6/::1/tcp/9000"?)`],
  ['dial', ID, `${NO_SLASH} (did you mean "/p2p/${ID}"?)`],
  ['dial', 'ip4/1.2.3.4/tcp/1', `${NO_SLASH} (did you mean "/ip4/1.2.3.4/tcp/1"?)`],
  ['dial', '/ip4/1.2.3.4', 'it names no port: expected /tcp/PORT or /udp/PORT/quic-v1 (did you mean "/ip4/1.2.3.4/tcp/9000"?)'],
  ['dial', '/ip4/1.2.3.4/tcp', 'tcp needs a value (did you mean "/ip4/1.2.3.4/tcp/9000"?)'],
  ['dial', '/ip4/1.2.3.4/tpc/1', 'unknown protocol "tpc" (did you mean "/ip4/1.2.3.4/tcp/1"?)'],
  ['dial', '/ipv4/1.2.3.4/tcp/1', 'unknown protocol "ipv4" (did you mean "/ip4/1.2.3.4/tcp/1"?)'],
  ['dial', '/foo/1', 'unknown protocol "foo"'],
  ['dial', '/ip4/1.2.3.4/tcp/99999', 'tcp port "99999": expected a number from 0 to 65535'],
  ['dial', '/ip4/1.2.3.4/tcp/http', 'tcp port "http": expected a number from 0 to 65535'],
  ['dial', '/ip4/1.2.3.400/tcp/1', '"1.2.3.400" is not an IPv4 address'],
  ['dial', '/ip4/localhost/tcp/1', '"localhost" is not an IPv4 address (did you mean "/dns4/localhost/tcp/1"?)'],
  ['dial', '/ip4/::1/tcp/1', '"::1" is not an IPv4 address (did you mean "/ip6/::1/tcp/1"?)'],
  ['dial', '/ip6/fd00::1%eth0/tcp/1', 'a zone stands before the address (did you mean "/ip6zone/eth0/ip6/fd00::1/tcp/1"?)'],
  ['dial', '/ip6zone/eth0/ip6/fe80::1/tcp/1', 'a link-local address cannot be used: take another one of the interface'],
  ['dial', '/ip4/1.2.3.4/tcp/1/certhash/x', '/certhash does not run over tcp (did you mean "/ip4/1.2.3.4/tcp/1"?)'],
  ['dial', '/ip4/1.2.3.4/udp/1', 'udp alone carries nothing: expected /udp/PORT/quic-v1 (did you mean "/ip4/1.2.3.4/udp/1/quic-v1"?)'],
  ['dial', '/ip4/1.2.3.4/tcp/1/quic', 'QUIC runs over udp (did you mean "/ip4/1.2.3.4/udp/1/quic-v1"?)'],
  ['dial', '/ip4/1.2.3.4/udp/1/tcp/1', '/tcp does not run over udp'],
  ['dial', '/dns4/gpu/tcp/443/tls/ws', '/tls is not spoken here: expected TCP or QUIC over an IP address or a host name'],
  ['dial', '/udp/9000/quic', 'it names no host'],
  ['dial', '/ip4/0.0.0.0/tcp/1', '0.0.0.0 is every address of this machine, nothing to dial'],
  ['dial', '/ip4/1.2.3.4/tcp/0', 'tcp port 0 means any free port, nothing to dial'],
  ['dial', '/p2p/abc', '/p2p/abc: not a peer id: 3 characters, expected 52 (12D3KooW…); a short form is no identity here'],
  ['dial', `/p2p/${ID}/ip4/1.2.3.4/tcp/1`, '/p2p/PEER stands once, at the end'],
  ['dial', `/ip4/1.2.3.4/tcp/1/p2p-circuit/p2p/${ID}`, 'a relayed address reads …/p2p/RELAY/p2p-circuit/p2p/PEER'],
  ['listen', `/ip4/1.2.3.4/tcp/1/p2p/${ID}`, 'an address to listen on has no /p2p (did you mean "/ip4/1.2.3.4/tcp/1"?)'],
  ['listen', '9001', `${NO_SLASH} (did you mean "/ip4/0.0.0.0/tcp/9001"?)`],
  ['dial', '9001', NO_SLASH],
  ['listen', `/p2p/${ID}`, 'an address to listen on has no /p2p'],
  ['listen', '/dns4/gpu/tcp/9000', 'to listen needs an IP address, not a host name'],
  ['listen', RELAYED, 'nobody listens on a relayed address: name the relay in [mesh.nat] relays'],
]
for (const [use, text, problem] of BAD) {
  test(`${use}: ${JSON.stringify(text)} is refused: ${problem}`, () => {
    const reading = readAddress(text, use)
    assert.equal(reading.ok ? 'accepted' : addressProblem(reading), problem)
  })
}

test('a peer id with a letter too few, or a letter that base58 has not, is none', () => {
  for (const id of [ID.slice(0, -1), `${ID.slice(0, -1)}0`, ID.replace('12D3', '12D4')]) {
    assert.equal(readAddress(`/p2p/${id}`, 'dial').ok, false, id)
  }
})

test('text of any kind is refused, or read as libp2p reads it; never thrown', () => {
  const words = [
    'ip4',
    '1.2.3.4',
    'tcp',
    '9000',
    'p2p',
    ID,
    'p2p-circuit',
    'udp',
    'quic',
    '',
    ' ',
    '\u0000',
    'ws',
    'ip6',
    'FE80::1%eth0',
    '::ffff:1.2.3.4',
    'certhash',
    '00080',
    'dns4',
    '-',
    '%',
    'quic-v1',
    'tls',
  ]
  let seed = 7
  const next = () => (seed = (seed * 48_271) % 2_147_483_647)
  for (let round = 0; round < 5_000; round += 1) {
    const text = `/${Array.from({ length: next() % 8 }, () => words[next() % words.length]).join('/')}`
    for (const use of ['listen', 'dial', 'either'] as const) {
      const reading = readAddress(text, use)
      if (!reading.ok) continue
      assert.deepEqual(readAddress(reading.address.address, use), reading, 'canonical is stable')
      assert.equal(multiaddr(reading.address.address).toString(), reading.address.address, 'as libp2p reads and writes it')
    }
  }
})
