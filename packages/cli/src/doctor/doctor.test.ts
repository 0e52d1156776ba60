import assert from 'node:assert/strict'
import { stripVTControlCharacters } from 'node:util'
import { test } from 'node:test'
import type { DialReport, MeshStatus, PeerDiagnosis, PeerId, SelfDiagnosis } from '@qmtcode/protocol'
import pc from 'picocolors'
import { displayWidth } from '../output/width.ts'
import type { Check } from './check.ts'
import { advice, command, config, ok, problem, warning } from './check.ts'
import { connectionChecks } from './connection.ts'
import { findingChecks } from './finding.ts'
import { natChecks } from './nat.ts'
import { reportLines } from './render.ts'
import { exitCodeFor, reportJson } from './report.ts'
import type { DoctorReport } from './report.ts'
import { selfChecks } from './self.ts'
import { speedChecks } from './speed.ts'
import { usingChecks } from './using.ts'

const HERE = '12D3KooWAbCdEfGhJkLmNpQrStUvWxYz123456789AbCdEfGhJkL' as PeerId
const THERE = '12D3KooWAbCdEfZZZZZZZZZZZZZZZZZZ123456789AbCdEfGhJkL' as PeerId

const self = (over: Partial<SelfDiagnosis> = {}): SelfDiagnosis => ({
  peerId: HERE,
  name: 'laptop',
  version: '1.0.0',
  listenAddresses: [`/ip4/10.0.0.2/tcp/9000/p2p/${HERE}`],
  trust: 'known',
  configured: ['gpu'],
  connectedPeers: 1,
  discovery: ['mdns'],
  problems: [],
  multicast: { own: true, others: 1 },
  nearby: [],
  networks: ['10.0.0.2/24'],
  ...over,
})

const dial = (over: Partial<DialReport> = {}): DialReport => ({
  address: '/ip4/10.0.0.3/tcp/9000',
  source: 'configured',
  outcome: 'answered',
  protocol: 'tcp',
  port: 9000,
  isPrivate: true,
  isNear: true,
  ms: 3,
  ...over,
})

const peer = (over: Partial<PeerDiagnosis> = {}): PeerDiagnosis => ({
  target: 'gpu',
  name: 'gpu',
  peerId: THERE,
  meaning: 'configured',
  here: { trust: 'admitted', role: 'observer', use: true },
  names: [],
  dials: [dial()],
  link: { state: 'up', relayed: false, address: '/ip4/10.0.0.3/tcp/9000' },
  hello: { name: 'gpu', version: '1.0.0', state: 'admitted', role: 'client', services: ['sessions'], clockAheadMs: 5 },
  record: { models: ['a/b'], agents: ['coder'], sessions: 1, version: '1.0.0' },
  isFound: true,
  ...over,
})

const lost = (over: Partial<DialReport>): PeerDiagnosis =>
  peer({ dials: [dial(over)], link: { state: 'none', relayed: false }, hello: undefined, record: undefined, isFound: false })

const findOf = (checks: readonly Check[], id: string): Check | undefined => checks.find((check) => check.id === id && check.status !== 'ok')

test('a healthy peer has nothing to mend', () => {
  const checks = [
    ...connectionChecks(peer(), self()),
    ...speedChecks(peer({ pings: { sent: 10, roundTripsMs: [1, 2, 3] } })),
    ...findingChecks(peer(), self()),
    ...usingChecks(peer(), self(), { count: 2, more: false }),
    ...selfChecks(self()),
  ]
  // Seven pings are missing: that is the one warning.
  assert.deepEqual(
    checks.filter(({ status }) => status !== 'ok').map(({ id }) => id),
    ['round-trip'],
  )
})

test('a clock that is off by more than a minute warns, with the command for both machines', () => {
  for (const [ahead, text] of [
    [90_000, /gpu's clock is 1 min 30 s ahead/],
    [-3_600_000, /60 min 0 s behind/],
  ] as const) {
    const hello = { name: 'gpu', version: '1.0.0', state: 'admitted', services: [], clockAheadMs: ahead } as const
    const check = findOf(connectionChecks(peer({ hello: { ...hello, services: [] } }), self()), 'clock')
    assert.match(check?.text ?? '', text)
    assert.deepEqual(
      check?.fixes.map(({ on, text: what }) => [on, what]),
      [
        ['here', 'timedatectl'],
        ['gpu', 'sudo timedatectl set-ntp true'],
        ['here', 'sudo timedatectl set-ntp true'],
      ],
    )
  }
})

test('another version over there warns', () => {
  const hello = { name: 'gpu', version: '1.1.0', state: 'admitted', services: [], clockAheadMs: 0 } as const
  const check = findOf(connectionChecks(peer({ hello: { ...hello, services: [] } }), self()), 'version')
  assert.equal(check?.status, 'warning')
  assert.match(check?.text ?? '', /^qmtcode 1\.1\.0 there, 1\.0\.0 here/)
})

test('each way a dial fails names its fix; a peer that is linked all the same only warns', () => {
  for (const [over, text, fix] of [
    [{ outcome: 'silent' }, /firewall drops TCP 9000 silently/, 'sudo ufw allow 9000/tcp'],
    [{ outcome: 'silent', protocol: 'udp' }, /firewall drops UDP 9000/, 'sudo ufw allow 9000/udp'],
    [{ outcome: 'silent', isNear: false }, /behind a router or NAT/, 'or let it dial this node: a link serves both directions'],
    [{ outcome: 'no_route', isNear: false }, /behind a router or NAT/, 'or let it dial this node: a link serves both directions'],
    [{ outcome: 'no_route', isPrivate: false }, /no route to it/, 'ip route get 10.0.0.3'],
    [{ outcome: 'closed' }, /accepts the connection and closes it/, 'qmtcode doctor'],
    [{ outcome: 'banned' }, /banned here/, `qmtcode peers admit ${THERE}`],
  ] as const) {
    const check = findOf(connectionChecks(lost(over), self()), 'address')
    assert.equal(check?.status, 'problem')
    assert.match(check?.text ?? '', text)
    assert.ok(
      check?.fixes.some((one) => one.text === fix),
      JSON.stringify(check),
    )
  }
  const linked = peer({ dials: [dial({ outcome: 'silent', address: '/ip4/10.0.0.9/tcp/9000' })] })
  const check = findOf(connectionChecks(linked, self()), 'address')
  assert.equal(check?.status, 'warning')
  assert.match(check?.text ?? '', /linked all the same/)
})

test('relayed, suspect and lossy links warn', () => {
  const relayed = connectionChecks(peer({ link: { state: 'up', relayed: true } }), self())
  assert.match(findOf(relayed, 'link')?.text ?? '', /through a relay/)
  assert.match(findOf(connectionChecks(peer({ link: { state: 'suspect', relayed: false } }), self()), 'link')?.text ?? '', /suspect/)
  assert.match(findOf(speedChecks(peer({ pings: { sent: 10, roundTripsMs: [] } })), 'round-trip')?.text ?? '', /none of 10 pings/)
  const narrow = speedChecks(peer({ bandwidth: { downBytesPerSec: 5_000_000, upBytesPerSec: 20_000 } }))
  assert.match(findOf(narrow, 'bandwidth')?.text ?? '', /5\.0 MB\/s from gpu, 20 kB\/s to it .*narrow/)
})

const checkOf = (checks: readonly Check[], id: string): Check | undefined => checks.find((check) => check.id === id)
const nat = (over: Partial<NonNullable<MeshStatus['nat']>> = {}): NonNullable<MeshStatus['nat']> => ({
  announced: [],
  upnp: false,
  mapped: [],
  relays: [],
  ...over,
})

test('a relay without a place is a problem with what to do on either side; with one it is how this node is reached', () => {
  const relay = { peerId: THERE, name: 'hub', reserved: false }
  const lacking = checkOf(natChecks(self(), nat({ relays: [{ ...relay, problem: 'it does not relay for this node' }] }), []), 'relay')
  assert.equal(lacking?.status, 'problem')
  assert.match(lacking?.text ?? '', /no place at the relay hub: it does not relay for this node/)
  assert.deepEqual(
    lacking?.fixes.map(({ on, text }) => [on, text]),
    [
      ['here', `qmtcode doctor ${THERE}`],
      ['hub', '[mesh.nat]\nserve = true'],
      ['hub', `qmtcode peers admit ${HERE}`],
    ],
  )
  assert.match(checkOf(natChecks(self(), nat({ relays: [relay] }), []), 'relay')?.text ?? '', /it is not connected/)
  const held = natChecks(self(), nat({ relays: [{ ...relay, reserved: true }] }), [])
  assert.deepEqual([checkOf(held, 'relay')?.status, checkOf(held, 'nat')], ['ok', undefined])
})

test('ports that the router was asked for and does not forward warn; those that it forwards are said', () => {
  const none = checkOf(natChecks(self(), nat({ upnp: true }), []), 'upnp')
  assert.equal(none?.status, 'warning')
  assert.match(none?.text ?? '', /no port is forwarded: .*UPnP off/)
  assert.ok(none?.fixes.some(({ text }) => text.includes('announce =')))
  const some = checkOf(natChecks(self(), nat({ upnp: true, mapped: ['/ip4/203.0.113.7/tcp/9000'] }), []), 'upnp')
  assert.deepEqual([some?.status, some?.text], ['ok', 'the router forwards /ip4/203.0.113.7/tcp/9000'])
})

test('private addresses only, and a peer in another network: a hint names the three ways to be dialled', () => {
  const far = peer({ dials: [dial({ isNear: false, isPrivate: false })] })
  const hint = checkOf(natChecks(self(), nat(), [far]), 'nat')
  assert.equal(hint?.status, 'ok')
  for (const key of ['announce =', 'upnp = true', 'relays ='])
    assert.ok(
      hint?.fixes.some(({ text }) => text.includes(key)),
      key,
    )
  const open = self({ listenAddresses: ['/ip4/203.0.113.7/tcp/9000'] })
  assert.deepEqual(natChecks(open, nat(), [far]), [])
  assert.deepEqual(natChecks(self(), nat(), [peer()]), [])
  assert.deepEqual(natChecks(self(), undefined, [far]), [])
})

test('the kind of NAT is said with the pairs that stay relayed, and what mends it', () => {
  const relays = [{ peerId: THERE, name: 'hub', reserved: true }]
  const kindOf = (seen: NonNullable<MeshStatus['nat']>['seen'], punch = true): Check | undefined =>
    checkOf(natChecks(self(), nat({ relays, punch, seen }), []), 'nat-kind')
  const address = '203.0.113.7:40000'
  assert.match(kindOf({ nat: 'none', address })?.text ?? '', /^no NAT \(seen as 203\.0\.113\.7:40000\)/)
  assert.match(kindOf({ nat: 'independent', address })?.text ?? '', /direct ways are opened/)
  const symmetric = kindOf({ nat: 'symmetric', address })
  assert.match(symmetric?.text ?? '', /a symmetric or a port-restricted one stay relayed/)
  assert.ok(symmetric?.fixes.some(({ text }) => text.includes('announce =')))
  const blocked = kindOf({ nat: 'unknown' })
  assert.equal(blocked?.status, 'warning')
  assert.ok(blocked?.fixes.some(({ text }) => text.includes('3478:3479/udp')))
  assert.deepEqual([kindOf(undefined), kindOf({ nat: 'symmetric' }, false)], [undefined, undefined])
})

test('a relay without its STUN ports warns, and names the key', () => {
  const stunOf = (stun?: number[]): Check | undefined =>
    checkOf(natChecks(self(), nat({ serves: { reservations: 0, circuits: 0, stun } }), []), 'stun')
  assert.match(stunOf([3_478, 3_479])?.text ?? '', /at UDP 3478 and 3479/)
  assert.equal(stunOf([])?.status, 'warning')
  assert.equal(stunOf(), undefined)
})

test('a relayed link says why no direct way was opened, a punched one that it is', () => {
  const link = { state: 'up', relayed: true, relayedBecause: 'both NATs are symmetric' } as const
  assert.match(findOf(connectionChecks(peer({ link }), self()), 'link')?.text ?? '', /both NATs are symmetric/)
  const punched = peer({ link: { state: 'up', relayed: false, punched: true, address: '/ip4/203.0.113.7/udp/4/quic-v1' } })
  assert.match(checkOf(connectionChecks(punched, self()), 'link')?.text ?? '', /through their NATs/)
})

test('a circuit that does not come about names the relay on both ends', () => {
  const address = `/ip4/203.0.113.8/tcp/9000/p2p/${HERE}/p2p-circuit`
  const check = findOf(connectionChecks(lost({ address, outcome: 'failed', detail: 'the peer has no place at it' }), self()), 'address')
  assert.match(check?.text ?? '', /p2p-circuit: failed: the peer has no place at it/)
  assert.ok(check?.fixes.some(({ on, text }) => on === 'gpu' && text.includes(`relays = "/ip4/203.0.113.8/tcp/9000/p2p/${HERE}"`)))
})

test('exit codes follow the rest of the command line', () => {
  const report = (facts: PeerDiagnosis, checks: Check[]): DoctorReport => ({
    self: { name: 'x', checks: [] },
    peers: [{ name: 'gpu', checks, facts }],
  })
  const bad = [problem('Connection', 'link', 'bad')]
  assert.equal(exitCodeFor(report(peer(), [ok('Speed', 'a', 'b'), warning('Speed', 'c', 'd')]), { target: true }), 0)
  assert.equal(exitCodeFor(report(peer(), bad), { target: true }), 1)
  assert.equal(exitCodeFor(report(lost({ outcome: 'refused' }), bad), { target: true }), 3)
  assert.equal(exitCodeFor(report(lost({ outcome: 'refused' }), bad), { target: false }), 1)
  assert.equal(exitCodeFor(report(peer({ greeting: { code: 'not_admitted', message: 'no' } }), bad), { target: true }), 4)
  const broken = { self: { name: 'x', checks: [problem('This node', 'configuration', 'bad')] }, peers: [] }
  assert.equal(exitCodeFor(broken, { target: true }), 2)
})

const shown: DoctorReport = {
  self: { name: 'laptop', checks: [ok('This node', 'listening', 'listens')] },
  peers: [
    {
      name: 'gpu\u001b[2J',
      checks: [
        ok('Connection', 'name', 'gpu is in [[mesh.peers]]'),
        problem('Connection', 'admitted-there', `gpu\u001b]0;x\u0007 does not know this node; ${'so it may do nothing there '.repeat(5)}`, [
          command(`qmtcode peers admit ${HERE}`, 'gpu'),
          config('[mesh]\ntrust = "known"'),
          advice('read it again '.repeat(10)),
        ]),
      ],
    },
  ],
}

test('lines are aligned, fit the terminal but for what must stay whole, and carry nothing of a peer that a terminal obeys', () => {
  for (const width of [60, 80, 120]) {
    const lines = reportLines(shown, { width, style: pc.createColors(true), whole: true })
    const plain = lines.map(stripVTControlCharacters)
    for (const line of plain) if (!line.includes(HERE)) assert.ok(displayWidth(line) <= width, `${width}: ${line}`)
    assert.ok(plain.some((line) => line.startsWith('  problem  gpu does not know this node;')))
    assert.ok(lines.every((line) => !line.includes('\u001b[2J') && !line.includes('\u001b]0')))
    assert.equal(plain.at(-1), '1 problem; 2 ok')
  }
})

test('a command stands alone and whole on its line; a piece of configuration under its file', () => {
  const plain = reportLines(shown, { width: 80, style: pc.createColors(false), whole: true })
  assert.ok(plain.includes(`               qmtcode peers admit ${HERE}`), plain.join('\n'))
  assert.ok(plain.includes('           → in config.toml:'))
  assert.ok(plain.includes('               [mesh]'))
})

test('without a target: a line a peer, and only what is wrong with it', () => {
  const plain = reportLines(shown, { width: 80, style: pc.createColors(false), whole: false })
  assert.ok(plain.some((line) => /^gpu +not linked$/.test(line)))
  assert.ok(!plain.some((line) => line.includes('is in [[mesh.peers]]')))
})

test('--json: one document with every check and what it was made of', () => {
  const json = JSON.parse(JSON.stringify(reportJson(shown))) as {
    verdict: string
    peers: { verdict: string; checks: Check[]; facts: null }[]
  }
  assert.equal(json.verdict, 'problem')
  assert.equal(json.peers[0]?.checks.length, 2)
  assert.equal(json.peers[0]?.facts, null)
})
