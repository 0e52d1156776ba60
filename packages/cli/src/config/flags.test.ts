import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import type { MeshFlags } from '../node-handle.ts'
import type { Config } from './config.ts'
import { meshFingerprint } from './fingerprint.ts'
import { applyFlags } from './flags.ts'
import { readConfig } from './read.ts'
import { toConfig } from './to-config.ts'

const ID = '12D3KooWGC6tvWVEbLyNzTvq4bCg9UYRVWnLCfKFbTmzs4DWZy7X'
const components = { localAddresses: ['192.168.1.5'] }
const no: MeshFlags = { enabled: true, addresses: [], listen: [], connect: [] }

function fileConfig(toml: string): Config {
  const { value } = readConfig(toml, { file: 'qmt.toml', env: {} })
  assert.ok(value)
  return toConfig(value, { file: '/etc/qmt.toml', home: '/home/ada/.qmt', userHome: '/home/ada', hostname: 'laptop' })
}

const FILE = `[mesh]
enabled = false
listen = "/ip4/10.0.0.9/tcp/9000"
node_name = "mine"
[[mesh.peers]]
name = "gpu"
addr = "/ip4/192.168.1.100/tcp/9000"
role = "member"
`

test('no flag changes nothing', () => {
  const config = fileConfig(FILE)
  assert.deepEqual(applyFlags(config, {}, components), { config, notices: [], dialling: [] })
  assert.equal(meshFingerprint(applyFlags(config, {}, components).config), meshFingerprint(config))
})

test('--mesh enables, and keeps what the file says of the rest', () => {
  const { config } = applyFlags(fileConfig(FILE), { mesh: no }, components)
  assert.deepEqual([config.mesh.enabled, config.mesh.listen, config.mesh.nodeName], [true, ['/ip4/10.0.0.9/tcp/9000'], 'mine'])
  assert.equal(applyFlags(fileConfig(''), { mesh: no }, components).config.mesh.defaultListen, true)
})

test('--mesh=ADDR listens on an address of this machine, instead of the file’s', () => {
  const { config, dialling } = applyFlags(
    fileConfig(FILE),
    { mesh: { ...no, addresses: ['/ip4/192.168.1.5/tcp/9001', '/udp/9000/quic'] } },
    components,
  )
  assert.deepEqual(config.mesh.listen, ['/ip4/192.168.1.5/tcp/9001', '/ip4/0.0.0.0/udp/9000/quic-v1'])
  assert.deepEqual([config.mesh.defaultListen, config.mesh.peers.length, dialling], [false, 1, []])
})

test('--mesh=ADDR dials any other address, and the default is listened on', () => {
  const { config, dialling } = applyFlags(fileConfig(''), { mesh: { ...no, addresses: ['/ip4/192.168.1.100/tcp/9000'] } }, components)
  assert.deepEqual([config.mesh.listen, config.mesh.defaultListen], [[], true])
  assert.deepEqual(dialling, ['/ip4/192.168.1.100/tcp/9000'])
  const [peer] = config.mesh.peers
  assert.deepEqual([peer?.name, peer?.addr, peer?.use, peer?.source], [dialling[0], dialling[0], true, 'flag'])
})

test('--mesh-listen and --mesh-connect mean what they say, whatever the address is', () => {
  const mesh = { ...no, listen: ['/ip4/10.1.1.1/tcp/0'], connect: ['/ip4/192.168.1.5/tcp/9000', '/ip4/192.168.1.5/tcp/9000'] }
  const { config, dialling } = applyFlags(fileConfig(''), { mesh }, components)
  assert.deepEqual(config.mesh.listen, ['/ip4/10.1.1.1/tcp/0'])
  assert.deepEqual(
    config.mesh.peers.map(({ addr }) => addr),
    ['/ip4/192.168.1.5/tcp/9000'],
  )
  assert.deepEqual(dialling, [])
})

test('an address that the file has already is the file’s peer', () => {
  for (const addr of ['/ip4/192.168.1.100/tcp/9000', `/ip4/192.168.1.100/tcp/9000/p2p/${ID}`]) {
    const { peers } = applyFlags(fileConfig(FILE), { mesh: { ...no, connect: [addr] } }, components).config.mesh
    assert.deepEqual(
      peers.map(({ name, role }) => [name, role]),
      [['gpu', 'member']],
      addr,
    )
  }
})

test('bad flags are told together, with the flag and the nearest right form', () => {
  const mesh = { ...no, addresses: ['10.0.0.1:9000'], listen: ['/dns4/x/tcp/1'], connect: ['/ip4/0.0.0.0/tcp/1'] }
  assert.throws(
    () => applyFlags(fileConfig(''), { mesh, dashboard: 'nowhere' }, components),
    (error) => {
      assert.ok(isAppError(error, 'bad_request'))
      assert.deepEqual(error.message.split('\n'), [
        '--mesh-listen=/dns4/x/tcp/1: to listen needs an IP address, not a host name',
        '--mesh-connect=/ip4/0.0.0.0/tcp/1: 0.0.0.0 is every address of this machine, nothing to dial',
        '--mesh=10.0.0.1:9000: not a multiaddr: it begins with "/" (did you mean "/ip4/10.0.0.1/tcp/9000"?)',
        '--dashboard=nowhere: expected HOST:PORT, for example 127.0.0.1:3000',
      ])
      return true
    },
  )
})

test('--dashboard has a default, takes a host and a port, and is not built yet', () => {
  const of = (dashboard: string | true) => applyFlags(fileConfig(''), { dashboard }, components)
  assert.deepEqual(of(true).config.server.dashboard, { host: '127.0.0.1', port: 3000 })
  assert.deepEqual(of('0.0.0.0:8080').config.server.dashboard, { host: '0.0.0.0', port: 8080 })
  assert.deepEqual(of('[::1]:1').config.server.dashboard, { host: '::1', port: 1 })
  assert.deepEqual(of('4000').config.server.dashboard, { host: '127.0.0.1', port: 4000 })
  assert.deepEqual(of(true).notices, [{ severity: 'notice', path: '--dashboard', message: 'not built yet' }])
})

test('the mesh fingerprint follows what the mesh does, and nothing else', () => {
  const same = fileConfig(`# a comment\n${FILE}\n[permissions]\nedit = "allow"`)
  assert.equal(meshFingerprint(same), meshFingerprint(fileConfig(FILE)))
  const others = [fileConfig(FILE.replace('9000', '9001')), fileConfig(FILE.replace('member', 'admin')), fileConfig('')]
  assert.equal(new Set([fileConfig(FILE), ...others].map(meshFingerprint)).size, 4)
  assert.notEqual(meshFingerprint(applyFlags(fileConfig(FILE), { mesh: no }, components).config), meshFingerprint(fileConfig(FILE)))
})
