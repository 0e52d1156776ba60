import { addressProblem, classifyMeshAddress, readAddress } from '@qmtcode/mesh/addresses'
import type { AddressUse, MeshAddress } from '@qmtcode/mesh/addresses'
import { AppError } from '@qmtcode/protocol'
import type { Config, MeshPeerConfig, ServerConfig } from './config.ts'
import type { MeshFlags } from '../node-handle.ts'
import type { Diagnostic } from './diagnostics.ts'
import { peerAddress } from './to-config.ts'

export interface ConfigFlags {
  mesh?: MeshFlags
  /** `--dashboard[=HOST:PORT]`; true: without a value. */
  dashboard?: string | true
}

export interface FlagComponents {
  /** IP addresses of this machine: `--mesh=ADDR` listens on them, and dials any other. */
  localAddresses: readonly string[]
}

export interface AppliedFlags {
  config: Config
  notices: Diagnostic[]
  /** Addresses of `--mesh=ADDR` that are another machine's, for the line `dialling: …`. */
  dialling: string[]
}

const DEFAULT_DASHBOARD = { host: '127.0.0.1', port: 3000 }

/** Flags over the file, value by value: addresses to listen on replace the file's, addresses to connect to come on top of its peers. Throws bad_request. */
export function applyFlags(config: Config, flags: ConfigFlags, { localAddresses }: FlagComponents): AppliedFlags {
  const problems: string[] = []
  const { listen, connect, dialling } = readAddresses(flags.mesh, localAddresses, problems)
  const dashboard = flags.dashboard === undefined ? config.server.dashboard : readDashboard(flags.dashboard, problems)
  if (problems.length > 0) throw new AppError('bad_request', problems.join('\n'))
  const mesh = {
    ...config.mesh,
    enabled: config.mesh.enabled || (flags.mesh?.enabled ?? false),
    ...(listen.length > 0 && { listen, defaultListen: false }),
    peers: withConnects(config.mesh.peers, connect),
    ...(flags.mesh?.join !== undefined && { invite: flags.mesh.join }),
  }
  const notices = flags.dashboard === undefined ? [] : [notBuilt('--dashboard')]
  return { config: { ...config, mesh, server: dashboard ? { ...config.server, dashboard } : config.server }, notices, dialling }
}

interface Addresses {
  listen: string[]
  connect: string[]
  dialling: string[]
}

function readAddresses(flags: MeshFlags | undefined, localAddresses: readonly string[], problems: string[]): Addresses {
  const read = (flag: string, text: string, use: AddressUse): MeshAddress[] => {
    const reading = readAddress(text, use)
    if (reading.ok) return [reading.address]
    problems.push(`${flag}=${text}: ${addressProblem(reading)}`)
    return []
  }
  const listen = (flags?.listen ?? []).flatMap((text) => read('--mesh-listen', text, 'listen'))
  const connect = (flags?.connect ?? []).flatMap((text) => read('--mesh-connect', text, 'dial'))
  const dialling: MeshAddress[] = []
  for (const text of flags?.addresses ?? []) {
    const [address] = read('--mesh', text, 'either')
    if (!address) continue
    if (classifyMeshAddress(address, localAddresses) === 'listen') listen.push(...read('--mesh', text, 'listen'))
    else dialling.push(...read('--mesh', text, 'dial'))
  }
  const texts = (addresses: MeshAddress[]) => Array.from(new Set(addresses.map(({ address }) => address)))
  return { listen: texts(listen), connect: texts([...connect, ...dialling]), dialling: texts(dialling) }
}

/** An address that a configured peer has already is that peer. */
function withConnects(peers: readonly MeshPeerConfig[], connects: readonly string[]): MeshPeerConfig[] {
  const added = connects.map((text): MeshPeerConfig => ({ name: text, ...peerAddress(text), use: true, labels: [], source: 'flag' }))
  const isNew = (peer: MeshPeerConfig) =>
    !peers.some(
      ({ addr, peerId }) => (peerId !== undefined && peerId === peer.peerId) || (addr !== undefined && bare(addr) === bare(peer.addr)),
    )
  return [...peers, ...added.filter(isNew)]
}

const bare = (addr: string | undefined): string | undefined => addr?.replace(/\/p2p\/[^/]+$/, '')

/** `HOST:PORT`, `[::1]:PORT`, or a port alone. */
function readDashboard(text: string | true, problems: string[]): ServerConfig['dashboard'] {
  if (text === true) return DEFAULT_DASHBOARD
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([^\s:[\]/]+)):)?(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? DEFAULT_DASHBOARD.host, port }
  problems.push(`--dashboard=${text}: expected HOST:PORT, for example 127.0.0.1:3000`)
  return undefined
}

const notBuilt = (flag: string): Diagnostic => ({ severity: 'notice', path: flag, message: 'not built yet' })
