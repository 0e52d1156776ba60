import type { SelfDiagnosis } from '@qmtcode/protocol'
import { formatDiagnostic } from '../config/diagnostics.ts'
import type { ConfigReport, NodeStatus } from '../node-handle.ts'
import { advice, command, config, ok, problem, warning } from './check.ts'
import type { Check } from './check.ts'

const AREA = 'This node'

/** What `qmtcode config check` would say. */
export function configChecks({ file, diagnostics }: ConfigReport): Check[] {
  if (file === undefined && diagnostics.length === 0) return [ok(AREA, 'configuration', 'no configuration file: the defaults hold')]
  const wrong = diagnostics.filter(({ severity }) => severity !== 'notice')
  if (wrong.length === 0) return [ok(AREA, 'configuration', `${file ?? 'the configuration'} is in order`)]
  return wrong.map((diagnostic) => {
    const say = diagnostic.severity === 'error' ? problem : warning
    return say(AREA, 'configuration', formatDiagnostic({ ...diagnostic, severity: 'error' }), [command('qmtcode config check')])
  })
}

/** `ownPid`: of this command, which begins a node where none runs. */
export function runningCheck({ pid, node, version }: NodeStatus, ownPid: number): Check {
  if (pid !== ownPid) return ok(AREA, 'running', `${node} runs as process ${pid}, qmtcode ${version}`)
  return warning(AREA, 'running', `no qmtcode ran here: ${node} was started for this look, and peers reach it only while it runs`, [
    command('qmtcode --headless --mesh'),
  ])
}

export const noMesh = (pid: number): Check =>
  problem(AREA, 'mesh', `the qmtcode that runs here (process ${pid}) is no node of a mesh`, [
    command(`kill ${pid} && qmtcode --headless --mesh`),
    config('[mesh]\nenabled = true'),
  ])

export const tooOld = (pid: number): Check =>
  problem(AREA, 'mesh', `the qmtcode that runs here (process ${pid}) is older than this command and cannot be asked`, [
    command(`kill ${pid} && qmtcode --headless --mesh`),
  ])

export const selfChecks = (self: SelfDiagnosis): Check[] => [
  listeningCheck(self),
  ...(self.moved ? [movedCheck(self.moved)] : []),
  ...(self.trust === 'open' ? [openCheck()] : []),
  discoveryCheck(self),
  ...peersCheck(self),
]

const LISTEN = 'listen = "/ip4/0.0.0.0/tcp/9000"' // in [mesh]
const hostOf = (address: string): string => address.split('/')[2] ?? ''
const isLoopback = (address: string): boolean => hostOf(address).startsWith('127.') || hostOf(address) === '::1'
const shown = (address: string): string => address.replace(/\/p2p\/[^/]+$/, '')

function listeningCheck({ listenAddresses }: SelfDiagnosis): Check {
  const mend = config(`[mesh]\n${LISTEN}`)
  if (listenAddresses.length === 0) return warning(AREA, 'listening', 'listens nowhere: it can dial others, and nobody can dial it', [mend])
  if (listenAddresses.every(isLoopback)) {
    return warning(AREA, 'listening', `listens on ${listenAddresses.map(shown).join(', ')}: only this machine can dial it`, [mend])
  }
  return ok(
    AREA,
    'listening',
    `listens on ${listenAddresses
      .filter((address) => !isLoopback(address))
      .map(shown)
      .join(', ')}`,
  )
}

function movedCheck({ from, to }: NonNullable<SelfDiagnosis['moved']>): Check {
  const port = (address: string): string => address.split('/').at(-1) ?? ''
  return warning(
    AREA,
    'port',
    `port ${port(from)} was taken, so it listens on ${port(to)}: peers and firewalls that know ${port(from)} miss it`,
    [
      command(`ss -ltnp 'sport = :${port(from)}'`),
      advice(`stop what that shows and start qmtcode again, or let peers and firewalls know ${port(to)}`),
    ],
  )
}

const openCheck = (): Check =>
  warning(AREA, 'trust', 'trust = "open": whoever reaches this node is let in as an observer and may use what it shares', [
    config('[mesh]\ntrust = "known"'),
  ])

function discoveryCheck({ discovery, multicast, problems, nearby }: SelfDiagnosis): Check {
  if (discovery.length === 0)
    return ok(AREA, 'discovery', 'discovery is off: only addresses in [[mesh.peers]] and earlier ones are dialled')
  const others = discovery.filter((way) => way !== 'mdns')
  if (multicast && !multicast.own) {
    return warning(
      AREA,
      'discovery',
      `mdns finds nobody: multicast does not pass on this machine${others.length > 0 ? `; ${others.join()} goes on` : ''}`,
      [
        command('ip route show table all 224.0.0.0/4; ip route show default'),
        command('sudo ip route add 224.0.0.0/4 dev eth0   # your interface'),
        command('sudo ufw allow 5353/udp'),
        advice('or write the addresses into [[mesh.peers]]'),
      ],
    )
  }
  const [first] = problems
  if (first !== undefined) return warning(AREA, 'discovery', first)
  const heard = multicast
    ? `; mdns hears itself${multicast.others > 0 ? ` and ${count(multicast.others, 'other node')}` : ', and no other node'}`
    : ''
  const unknown = nearby.length === 0 ? '' : `; ${count(nearby.length, 'node')} nearby that nobody knows here (qmtcode peers)`
  return ok(AREA, 'discovery', `${discovery.join(' and ')} on${heard}${unknown}`)
}

function peersCheck({ configured, connectedPeers }: SelfDiagnosis): Check[] {
  if (connectedPeers > 0) return [ok(AREA, 'peers', `${count(connectedPeers, 'peer')} connected`)]
  if (configured.length > 0) return []
  return [
    warning(AREA, 'peers', 'no peer is connected, and none is configured', [
      command('qmtcode invite'),
      advice('and on the other machine: qmtcode join, then paste the invite'),
    ]),
  ]
}

const count = (many: number, what: string): string => `${many} ${what}${many === 1 ? '' : 's'}`
