import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { labSkip } from '@qmtcode/testing/lab'
import { openNodeApi } from '../support/node-api.ts'
import { configOf, createGround, peerTable } from './nat-ground.ts'

describe('upnp', { skip: labSkip('miniupnpd') }, () => {
  test('a port that the router forwards is told to peers, and dialled from outside', async () => {
    await using ground = await createGround([
      { name: 'a', place: 'public' },
      { name: 'b', place: 'port-restricted' },
    ])
    const [a, b] = ground.nodes
    assert.ok(a && b?.nat)
    await b.nat.exec('sh', '-c', 'nft flush chain ip guard own')
    b.nat.spawn('sh', ['-c', ROUTER], { stdio: 'ignore' })
    await b.machine.writeConfig(configOf(b, ground, { nat: 'upnp = true', peers: peerTable(a) }))
    b.machine.start(['--headless', '--mesh'])
    const outside = `/ip4/${b.nat.address}/tcp/`
    await using api = await eventually('b runs', () => openNodeApi(b.machine).catch(() => undefined), 30_000)
    const mapped = async (): Promise<string[]> => (await api.peers.status()).nat?.mapped ?? []
    const address = await eventually(
      'the router forwards a port',
      async () => (await mapped()).find((text) => text.startsWith(outside)),
      40_000,
    )
    const port = address.split('/')[4] ?? ''
    await a.host.exec('bash', '-c', `exec 3<>/dev/tcp/${b.nat.address}/${port}`)
  })
})

/** What miniupnpd writes into stands beside the lab's own NAT. Its file of the process id is its own: it removes it at its end. */
const ROUTER = `
nft -f - <<'RULES'
table inet filter {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain forward { type filter hook forward priority 10; jump miniupnpd; }
  chain prerouting { type nat hook prerouting priority -90; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 90; jump postrouting_miniupnpd; }
}
RULES
ip route add 239.0.0.0/8 dev eth1
exec miniupnpd -d -i eth0 -a eth1 -P "$(mktemp -u)" -f /dev/null -U -N
`
