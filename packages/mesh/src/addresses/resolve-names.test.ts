import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { isAppError } from '@qmtcode/protocol'
import { resolveName } from './resolve-names.ts'

const signal = new AbortController().signal
const resolved = async (text: string, ips: string[]): Promise<string[]> =>
  (await resolveName(multiaddr(text), () => Promise.resolve(ips), signal)).map(String)

test('a name becomes all of its addresses, over TCP and QUIC, IPv4 and IPv6; an IP stays', async () => {
  assert.deepEqual(await resolved('/dns4/gpu/tcp/9000', ['10.0.0.1', '10.0.0.2']), ['/ip4/10.0.0.1/tcp/9000', '/ip4/10.0.0.2/tcp/9000'])
  assert.deepEqual(await resolved('/dns/gpu/udp/9000/quic-v1', ['fd00::1']), ['/ip6/fd00::1/udp/9000/quic-v1'])
  assert.deepEqual(await resolved('/ip4/10.0.0.1/tcp/1', ['10.9.9.9']), ['/ip4/10.0.0.1/tcp/1'])
})

test('a name without an address is said to be one', async () => {
  const failing = resolveName(multiaddr('/dns4/nowhere/tcp/1'), () => Promise.reject(new Error('ENOTFOUND')), signal)
  await assert.rejects(failing, (error) => isAppError(error, 'peer_unreachable') && /nowhere has no address/.test(error.message))
})
