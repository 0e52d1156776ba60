import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { describe, test } from 'node:test'
import { upnpNat } from '@achingbrain/nat-port-mapper'
import { gatewaysOfBsd, gatewaysOfLinux, gatewaysOfWindows } from './default-gateways.ts'
import { routerClient } from './router-client.ts'
import { locationIn } from './search-router.ts'

const DEVICE = 'urn:schemas-upnp-org:device:InternetGatewayDevice:2'
const ROUTER = '127.0.0.1'
const OTHER = '127.0.0.2'
const answer = (location: string, device = DEVICE): string =>
  ['HTTP/1.1 200 OK', `ST: ${device}`, `LOCATION: ${location}`, `USN: uuid:1::${device}`, '', ''].join('\r\n')

/** The description of a router at one address, and how often it was asked for. */
async function describedAt(host: string) {
  let asked = 0
  const server = createServer((_, response) => {
    asked += 1
    response.setHeader('content-type', 'text/xml')
    response.end(`<root><device><deviceType>${DEVICE}</deviceType><UDN>uuid:1</UDN></device></root>`)
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/root.xml`,
    asked: () => asked,
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await Promise.resolve()
    },
  }
}

async function socketAt(host: string): Promise<Socket & Disposable> {
  const socket = createSocket('udp4')
  socket.bind(0, host)
  await once(socket, 'listening')
  return Object.assign(socket, { [Symbol.dispose]: () => socket.close() })
}

type Gateways = ReturnType<ReturnType<typeof routerClient>['findGateways']>
async function found(gateways: Gateways) {
  const all = []
  for await (const gateway of gateways) all.push(gateway)
  return all
}

const noSecond = process.platform === 'linux' ? false : 'needs a second loopback address'

test('of all who answer the search only the default gateway is asked, whatever the others say', { skip: noSecond }, async () => {
  await using real = await describedAt(ROUTER)
  await using fake = await describedAt(OTHER)
  using router = await socketAt(ROUTER)
  using attacker = await socketAt(OTHER)
  router.on('message', (_, { port, address }) => {
    const lies = [fake.url, 'http://169.254.169.254/']
    for (const url of [real.url, ...lies]) attacker.send(answer(url), port, address)
    attacker.send(answer(fake.url), port, address, () => {
      for (const url of [...lies, real.url]) router.send(answer(url), port, address)
    })
  })
  const client = routerClient(upnpNat(), { gateways: async () => [ROUTER], port: router.address().port })
  const gateways = await found(client.findGateways())
  assert.deepEqual(
    gateways.map(({ host, family }) => [host, family]),
    [[ROUTER, 'IPv4']],
  )
  assert.ok(gateways[0]?.id.endsWith(real.url), 'a router that moves is another one')
  assert.deepEqual([real.asked(), fake.asked()], [1, 0])
  const device: unknown = Reflect.get(gateways[0] ?? {}, 'gateway')
  const { expires } = Reflect.get(device as object, 'service') as { expires: number }
  assert.ok(expires > 4e15, 'the library would search again among all')
})

test('without a default gateway, or without its answer, nothing is asked', async () => {
  const client = routerClient(upnpNat(), { gateways: async () => [], port: 9 })
  assert.deepEqual(await found(client.findGateways()), [])
  const silent = routerClient(upnpNat(), { gateways: async () => [ROUTER], port: 9 })
  assert.deepEqual(await found(silent.findGateways({ signal: AbortSignal.timeout(50) })), [])
})

describe('an answer is the router’s only if it comes from it and leads to it', () => {
  const BAD: [string, string, string][] = [
    ['another sender', OTHER, answer(`http://${ROUTER}:80/`)],
    ['another host', ROUTER, answer(`http://${OTHER}:80/`)],
    ['a host that begins so', ROUTER, answer(`http://${ROUTER}.example/`)],
    ['a user that looks so', ROUTER, answer(`http://${ROUTER}@example/`)],
    ['another scheme', ROUTER, answer(`file://${ROUTER}/etc/passwd`)],
    ['no place', ROUTER, answer('')],
    ['another device', ROUTER, answer(`http://${ROUTER}/`, 'urn:schemas-upnp-org:device:MediaServer:1')],
    ['no answer', ROUTER, answer(`http://${ROUTER}/`).replace('200 OK', '404 No')],
    ['too much', ROUTER, answer(`http://${ROUTER}/`) + 'x'.repeat(4_000)],
  ]
  for (const [what, address, text] of BAD) {
    test(what, () => assert.equal(locationIn(Buffer.from(text), { address }, ROUTER), undefined))
  }
  test('the router itself', () => {
    assert.equal(locationIn(Buffer.from(answer(`http://${ROUTER}:5000/d.xml`)), { address: ROUTER }, ROUTER)?.port, '5000')
  })
})

test('the default gateways are read from what each system says', () => {
  const linux = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t00000000\t0100000A\t0003\t0\t0\t0\t00000080\t0\t0\t0
down\t00000000\t0100000A\t0002\t0\t0\t0\t00000000\t0\t0\t0`
  assert.deepEqual(gatewaysOfLinux(linux), ['192.0.2.1'])
  assert.deepEqual(gatewaysOfBsd('   route to: default\n    gateway: 192.168.1.1\n  interface: en0\n'), ['192.168.1.1'])
  assert.deepEqual(gatewaysOfBsd('    gateway: link#12\n'), [])
  assert.deepEqual(gatewaysOfWindows('  0.0.0.0  0.0.0.0  192.168.1.1  192.168.1.7  25\r\n  0.0.0.0  0.0.0.0  On-link  10.0.0.2  1\r\n'), [
    '192.168.1.1',
  ])
  for (const read of [gatewaysOfLinux, gatewaysOfBsd, gatewaysOfWindows]) assert.deepEqual(read('nonsense\n\n'), [])
})
