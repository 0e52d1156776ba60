import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createLab, labSkip, openProbe } from '@qmtcode/testing/lab'
import type { Host, Lab, Lan } from '@qmtcode/testing/lab'
import { createMachine } from '../support/qmt.ts'
import type { Machine } from '../support/qmt.ts'

const skip = labSkip()

interface Check {
  area: string
  id: string
  status: 'ok' | 'warning' | 'problem'
  text: string
  fixes: { on: string; kind: string; text: string }[]
}
interface Report {
  verdict: string
  self: { checks: Check[] }
  peers: { name: string; checks: Check[] }[]
}

/** A laptop that knows a peer for each thing that can be wrong, and the peers, each on a host of its own. */
interface Ward {
  lab: Lab
  lan: Lan
  laptop: Machine
  id: string
  hosts: Map<string, Host>
  /** What the laptop's node printed. */
  output(): string
}

const owned = new AsyncDisposableStack()

/** A node in the LAN; its `[mesh]` and the role of the laptop there. */
async function node(
  ward: Ward,
  lan: Lan,
  name: string,
  options: { role?: string; share?: string; slow?: boolean; env?: Record<string, string> },
): Promise<void> {
  const host = await ward.lab.host(name, { lan, slow: options.slow })
  ward.hosts.set(name, host)
  const machine = owned.use(await createMachine(options.env, { on: host }))
  await machine.writeConfig(`
[mesh]
node_name = "${name}"
${options.share ?? ''}
${options.role === undefined ? '' : `[[mesh.peers]]\nname = "laptop"\npeer_id = "${ward.id}"\nrole = "${options.role}"\nuse = false\n`}`)
  if (name === 'banning') assert.equal((await machine.run(['peers', 'ban', ward.id, '--yes'])).code, 0)
  await machine.start(['--headless', '--mesh']).line(/listening: /)
}

/** A host without a node. */
async function host({ lab, hosts }: Ward, name: string, lan: Lan): Promise<Host> {
  const made = await lab.host(name, { lan })
  hosts.set(name, made)
  return made
}

const TEN_MINUTES_LATE = `--import=data:text/javascript,${encodeURIComponent('const now=Date.now;Date.now=()=>now()-600000')}`
const OF_NEXT_YEAR = `--import=data:text/javascript,${encodeURIComponent(
  `import { registerHooks } from 'node:module'
  const isOurs = (url) => url.endsWith('/packages/cli/package.json')
  const renumbered = (found) => ({ ...found, source: String(found.source).replace(/"version": "[^"]+"/, '"version": "9.0.0"') })
  registerHooks({ load: (url, context, next) => (isOurs(url) ? renumbered(next(url, context)) : next(url, context)) })`,
)}`
const SHARED = '[mesh.share]\nmodels = ["builtin/demo"]\nagents = ["*"]\nworkspaces = ["/tmp"]'

async function build(): Promise<Ward> {
  const lab = owned.use(await createLab())
  const [lan, home] = [await lab.lan(), await lab.lan()]
  await lab.nat('nat', { kind: 'port-restricted', inside: home, outside: lan })
  const at = await lab.host('laptop', { lan })
  const laptop = owned.use(await createMachine({}, { on: at }))
  const ward: Ward = { lab, lan, laptop, id: await laptop.peerId(), hosts: new Map([['laptop', at]]), output: () => '' }
  await Promise.all([
    node(ward, lan, 'good', { role: 'client', share: SHARED, slow: true }),
    node(ward, lan, 'unsharing', { role: 'client', share: '[mesh.share]\nmodels = []', env: { NODE_OPTIONS: OF_NEXT_YEAR } }),
    node(ward, lan, 'observing', { role: 'observer' }),
    node(ward, lan, 'unknowing', {}),
    node(ward, lan, 'banning', {}),
    node(ward, lan, 'late', { role: 'client', env: { NODE_OPTIONS: TEN_MINUTES_LATE } }),
  ])
  const silent = await host(ward, 'silent', lan)
  for (const protocol of ['tcp', 'udp'] as const) await silent.block({ protocol, port: 9000, direction: 'in', how: 'drop' })
  const refusing = await host(ward, 'refusing', lan)
  await refusing.block({ protocol: 'tcp', port: 9000, direction: 'in', how: 'refuse' })
  const web = await host(ward, 'web', lan)
  web.spawn(process.execPath, ['-e', "require('node:http').createServer((_, r) => r.end()).listen(9000)"])
  await openProbe(await host(ward, 'mute', lan)).listen(9000)
  await host(ward, 'inside', home)
  await laptop.writeConfig(laptopConfig(ward))
  const running = laptop.start(['--headless', '--mesh'])
  ward.output = () => running.output()
  await running.line(/peer connected: .*good|good.*connected/)
  return ward
}

const OTHER_ID = '12D3KooWGRUVh7jsZ3sPQ5rF4ZfYQ5WcMPrnQfjLkeH7fWbRzvXT'

function laptopConfig({ hosts }: Ward): string {
  const names = ['good', 'unsharing', 'observing', 'unknowing', 'banning', 'late', 'silent', 'refusing', 'web', 'mute', 'inside']
  const peers = names.map((name) => [name, `/ip4/${hosts.get(name)?.address ?? ''}/tcp/9000`] as const)
  const others = [
    ['silent-quic', `/ip4/${hosts.get('silent')?.address ?? ''}/udp/9000/quic-v1`],
    ['misnamed', '/dns4/no-such-host.invalid/tcp/9000'],
    ['mistyped', `/ip4/${hosts.get('good')?.address ?? ''}/tcp/9001`],
    ['mistaken', `/ip4/${hosts.get('unknowing')?.address ?? ''}/tcp/9000/p2p/${OTHER_ID}`],
  ] as const
  const tables = [...peers, ...others].map(([name, addr]) => `[[mesh.peers]]\nname = "${name}"\naddr = "${addr}"\n`)
  return `[mesh]\nnode_name = "laptop"\n${tables.join('')}`
}

async function examine({ laptop, output }: Ward, ...args: string[]): Promise<Report & { code: number }> {
  const { code, stdout, stderr } = await laptop.run(['doctor', ...args, '--json'])
  assert.notEqual(stdout, '', `${stderr}\n${output()}`)
  return { ...(JSON.parse(stdout) as Report), code }
}

/** cause → the check that tells it, its text, and what mends it. */
const CAUSES: [string, string, RegExp, RegExp][] = [
  [
    'silent',
    'address',
    /nothing came back: the machine is off, or a firewall drops TCP 9000 silently/,
    /on silent: sudo ufw allow 9000\/tcp/,
  ],
  [
    'silent-quic',
    'address',
    /udp\/9000\/quic-v1: nothing came back: .*drops UDP 9000 silently/,
    /on silent-quic: sudo ufw allow 9000\/udp/,
  ],
  ['refusing', 'address', /refused at once/, /on refusing: qmtcode --headless --mesh/],
  ['mistyped', 'address', /refused at once: nothing listens on that port/, /on mistyped: does it listen on that port\?/],
  ['web', 'address', /a web server \(HTTP\/1\.1 400 Bad Request\) answers, no qmtcode/, /the port that qmtcode prints/],
  ['mute', 'address', /something that says "hello" answers, no qmtcode/, /the port that qmtcode prints/],
  ['misnamed', 'dns', /no-such-host\.invalid/, /here: getent hosts no-such-host\.invalid/],
  ['mistaken', 'identity', /answers as 12D3KooW\w+ \(a qmtcode 0\.1\.0 called unknowing\), not as 12D3KooWGRUVh7/, /^peer_id = "12D3KooW/m],
  [
    'inside',
    'address',
    /a private address of a network that this machine is not in: behind a router or NAT/,
    /on inside: forward TCP 9000 of its router/,
  ],
  ['unknowing', 'admitted-there', /unknowing does not know this node/, /on unknowing: qmtcode peers admit 12D3KooW\w+$/m],
  ['banning', 'admitted-there', /it has banned this node/, /on banning: qmtcode peers admit 12D3KooW\w+$/m],
  ['observing', 'role-there', /this node is observer at observing/, /on observing: qmtcode peers role 12D3KooW\w+ client/],
  ['unsharing', 'offers', /unsharing shares nothing with this node/, /on unsharing: \[mesh\.share\]\nmodels = \["\*"\]/],
]

const fixLine = ({ on, kind, text }: Check['fixes'][number]): string =>
  `${kind === 'config' && on === 'here' ? '' : on === 'here' ? 'here: ' : `on ${on}: `}${text}`

describe('doctor', { skip, timeout: 600_000 }, () => {
  let ward: Ward
  let overview: Report & { code: number }
  before(async () => {
    ward = await build()
    overview = await examine(ward)
  })
  after(() => owned.disposeAsync())

  /** Of the look at all peers; where a busy machine did not answer that in time, of a look at this one. */
  const checksOf = async (name: string, isGood: (checks: Check[]) => boolean): Promise<Check[]> => {
    let { checks } = overview.peers.find((peer) => peer.name === name) ?? { checks: [] }
    const end = performance.now() + 60_000
    while (!isGood(checks) && performance.now() < end) checks = (await examine(ward, name)).peers[0]?.checks ?? []
    return checks
  }
  for (const [cause, id, text, fix] of CAUSES) {
    test(`${cause}: says what is wrong, and what mends it`, async () => {
      const find = (checks: Check[]): Check | undefined =>
        checks.find((check) => check.id === id && check.status === 'problem' && text.test(check.text))
      const checks = await checksOf(cause, (found) => find(found) !== undefined)
      const check = find(checks)
      assert.ok(check, JSON.stringify(checks, undefined, 1))
      assert.match(check.fixes.map(fixLine).join('\n'), fix)
    })
  }

  test('what is in order is in order', async () => {
    const wrong = (checks: Check[]): string[] => checks.filter(({ status }) => status !== 'ok').map(({ text }) => text)
    const checks = await checksOf('good', (found) => wrong(found).length === 0)
    assert.deepEqual(wrong(checks), [])
    assert.ok(checks.some(({ id, text }) => id === 'found' && /discovery told of good/.test(text)))
    assert.equal(overview.code, 1)
    assert.deepEqual(wrong(overview.self.checks), [])
  })

  test('exit codes: 3 not reached, 4 refused', async () => {
    const codes = await Promise.all(['silent', 'banning'].map(async (name) => (await examine(ward, name)).code))
    assert.deepEqual(codes, [3, 4])
  })

  test('an address alone: who answers there; and the output fits a terminal of 80 columns', async () => {
    const { code, stdout } = await ward.laptop.run(['doctor', `/ip4/${ward.hosts.get('good')?.address ?? ''}/tcp/9000`])
    assert.equal(code, 0, stdout)
    assert.match(stdout, /good admits this node as client/)
    const long = stdout.split('\n').filter((line) => line.length > 80 && !/12D3KooW\w{44}/.test(line))
    assert.deepEqual(long, [])
  })

  test('a slow and narrow wire is told, with the round trip and the bandwidth', async () => {
    await ward.hosts.get('good')?.cable.set({ delayMs: 100, rateKbit: 800 })
    const { peers } = await examine(ward, 'good')
    await ward.hosts.get('good')?.cable.set({})
    const check = peers[0]?.checks.find(({ id }) => id === 'round-trip')
    assert.equal(check?.status, 'warning')
    assert.match(check?.text ?? '', /round trip 2\d\d ms \/ \d+ ms/)
    const bandwidth = peers[0]?.checks.find(({ id }) => id === 'bandwidth')
    assert.equal(bandwidth?.status, 'warning', bandwidth?.text)
    assert.match(bandwidth?.text ?? '', /narrow/)
  })

  test('a clock that is ten minutes late is told, with what sets it', async () => {
    const find = (checks: Check[]): Check | undefined => checks.find(({ id, status }) => id === 'clock' && status === 'warning')
    const check = find(await checksOf('late', (checks) => find(checks) !== undefined))
    assert.match(check?.text ?? '', /late's clock is (9 min 5\d s|10 min( \d s)?) behind/)
    assert.ok(check?.fixes.some(({ on, text }) => on === 'late' && text === 'sudo timedatectl set-ntp true'))
  })

  test('another version over there is told', async () => {
    const find = (checks: Check[]): Check | undefined => checks.find(({ id, status }) => id === 'version' && status === 'warning')
    const check = find(await checksOf('unsharing', (checks) => find(checks) !== undefined))
    assert.match(check?.text ?? '', /^qmtcode 9\.0\.0 there, \d+\.\d+\.\d+ here/)
    assert.ok(check?.fixes.some(({ text }) => text.includes('run the same version on both')))
  })

  test('a peer that is banned here, and admitted again by the command that is named', async () => {
    assert.equal((await ward.laptop.run(['peers', 'ban', 'observing', '--yes'])).code, 0)
    const banned = (await examine(ward, 'observing')).peers[0]?.checks.find(({ id }) => id === 'admitted-here')
    assert.deepEqual([banned?.status, banned?.text], ['problem', 'observing is banned here'])
    assert.equal((await ward.laptop.run([...(banned?.fixes[0]?.text.split(' ').slice(1) ?? []), '--yes'])).code, 0)
  })

  test('a relay that gives no place, with what to do there', async () => {
    const at = await ward.lab.host('stray', { lan: ward.lan })
    const machine = owned.use(await createMachine({}, { on: at }))
    const [, id = ''] = /peer id (\w+)/.exec((await checksOf('good', () => true)).find((check) => check.id === 'name')?.text ?? '') ?? []
    const relay = `/ip4/${ward.hosts.get('good')?.address ?? ''}/tcp/9000/p2p/${id}`
    await machine.writeConfig(`[mesh.nat]\nrelays = "${relay}"\n`)
    const { self } = JSON.parse((await machine.run(['doctor', '--json'])).stdout) as Report
    const check = self.checks.find(({ id }) => id === 'relay')
    assert.equal(check?.status, 'problem')
    assert.match(check?.text ?? '', /has no place at the relay relay-\w+: it has not admitted this node/)
    assert.match(check?.fixes.map(fixLine).join('\n') ?? '', /serve = true[^]*: qmtcode peers admit 12D3KooW/)
  })

  test('use that was taken, and given back', async () => {
    assert.equal((await ward.laptop.run(['peers', 'use', 'good', '--off', '--yes'])).code, 0)
    const off = (await examine(ward, 'good')).peers[0]?.checks.find(({ id }) => id === 'use')
    assert.equal(off?.status, 'warning')
    assert.match(off?.text ?? '', /use is off/)
    const [fix] = off?.fixes ?? []
    assert.equal(fix?.text, 'qmtcode peers use good')
    assert.equal((await ward.laptop.run([...(fix?.text.split(' ').slice(1) ?? []), '--yes'])).code, 0)
    assert.equal((await examine(ward, 'good')).peers[0]?.checks.find(({ id }) => id === 'use')?.status, 'ok')
  })

  test('no node runs, no route for multicast, and a port that is taken', async () => {
    const at = await ward.lab.host('lonely', { lan: await ward.lab.lan() })
    await at.exec('ip', 'route', 'del', 'default')
    await openProbe(at).listen(9000)
    const machine = owned.use(await createMachine({}, { on: at }))
    const { code, stdout } = await machine.run(['doctor'])
    assert.equal(code, 0, stdout)
    assert.match(stdout, /warning {2}no qmtcode ran here/)
    assert.match(stdout, /→ qmtcode --headless --mesh/)
    assert.match(stdout, /port 9000 was taken, so it listens on 9001/)
    assert.match(stdout, /mdns finds nobody: multicast does not pass on this machine/)
    assert.match(stdout, /→ sudo ip route add 224\.0\.0\.0\/4 dev eth0/)
  })

  test('a configuration that is wrong is told with its line, and nothing is started', async () => {
    const machine = owned.use(await createMachine())
    await machine.writeConfig('[mesh]\nlisten = "nonsense"\n')
    const { code, stdout } = await machine.run(['doctor'])
    assert.equal(code, 2, stdout)
    assert.match(stdout, /problem {2}.*config\.toml:2:/)
    assert.doesNotMatch(stdout, /running/)
  })
})
