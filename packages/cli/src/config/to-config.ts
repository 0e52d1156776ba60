import { dirname, join } from 'node:path'
import { readAddress, readPeerId } from '@qmtcode/mesh/addresses'
import type { AddressUse } from '@qmtcode/mesh/addresses'
import { LIMITS } from '@qmtcode/protocol'
import { camelCased } from './camel.ts'
import type { Config, MeshConfig, MeshPeerConfig, PermissionsConfig } from './config.ts'
import { expandPath } from './file-paths.ts'
import type { PathBase } from './file-paths.ts'
import { meshSchema } from './schema/mesh.ts'
import type { FileConfig } from './schema/root.ts'

export interface Surroundings {
  /** Absolute path of the file, where there is one. */
  file?: string
  home: string
  userHome: string
  hostname: string
}

/** A file that passed schema and checks, as the rest of the program reads it. */
export function toConfig(from: FileConfig, around: Surroundings): Config {
  const base: PathBase = { userHome: around.userHome, directory: around.file === undefined ? around.home : dirname(around.file) }
  const path = (text: string) => expandPath(text, base)
  const program = (text: string) => (text.startsWith('~/') ? path(text) : text)
  return {
    file: around.file,
    home: around.home,
    saysMesh: from.mesh !== undefined,
    mesh: toMesh(from.mesh, around, base),
    agent: from.agent && camelCased(from.agent),
    planner: from.planner && camelCased(from.planner),
    delegates: camelCased(from.delegates),
    remoteAgents: camelCased(from.remote_agents),
    acpAgents: camelCased(from.agents).map(({ acp: [command = '', ...args], ...agent }) => ({
      ...agent,
      acp: [program(command), ...args],
    })),
    providers: Object.fromEntries(Object.entries(from.providers).map(([name, table]) => [name, camelCased(table)])),
    permissions: toPermissions(from.permissions, path),
    mcp: from.mcp.map((server) => ({ ...camelCased(server), command: server.command === undefined ? undefined : program(server.command) })),
    server: {
      tlsCert: from.server.tls_cert === undefined ? undefined : path(from.server.tls_cert),
      tlsKey: from.server.tls_key === undefined ? undefined : path(from.server.tls_key),
    },
  }
}

function toMesh(written: FileConfig['mesh'], around: Surroundings, base: PathBase): MeshConfig {
  const table = written ?? meshSchema.parse({})
  const { enabled, listen, discovery, node_name, identity_file, nat, peers, share, ...rest } = table
  return {
    ...camelCased(rest),
    enabled: enabled ?? written !== undefined,
    listen: addresses(listen ?? [], 'listen'),
    defaultListen: listen === undefined,
    discovery: [discovery].flat().filter((way) => way !== 'none'),
    nodeName: node_name ?? nameOfHost(around.hostname),
    identityFile: identity_file === undefined ? join(around.home, 'mesh_identity.key') : expandPath(identity_file, base),
    nat: { ...camelCased(nat), announce: addresses(nat.announce, 'dial'), relays: addresses(nat.relays, 'dial') },
    share: { ...camelCased(share), workspaces: share.workspaces.map((workspace) => expandPath(workspace, base)) },
    peers: peers.map(toPeer),
  }
}

function toPeer({ addr, peer_id, request_timeout_secs, ...rest }: NonNullable<FileConfig['mesh']>['peers'][number]): MeshPeerConfig {
  return { ...rest, ...peerAddress(addr, peer_id), requestTimeoutSecs: request_timeout_secs, source: 'file' }
}

/** One address that says all that is known: `/p2p` is put behind it, and an id alone has none. */
export function peerAddress(addr: string | undefined, peerIdText?: string): Pick<MeshPeerConfig, 'addr' | 'peerId'> {
  const reading = addr === undefined ? undefined : readAddress(addr, 'dial')
  const said = peerIdText === undefined ? undefined : readPeerId(peerIdText)
  const address = reading?.ok ? reading.address : undefined
  const peerId = address?.peerId ?? (said?.ok ? said.peerId : undefined)
  if (!address || (address.host === undefined && !address.relayed)) return { peerId }
  const whole = peerId !== undefined && address.peerId === undefined ? `${address.address}/p2p/${peerId}` : address.address
  return { addr: whole, peerId }
}

const addresses = (written: string | string[], use: AddressUse): string[] =>
  [written].flat().flatMap((text) => {
    const reading = readAddress(text, use)
    return reading.ok ? reading.address.address : []
  })

/** A host name as a node name: what a node name cannot hold becomes `-`. */
function nameOfHost(hostname: string): string {
  const name = hostname
    .replaceAll(/[^\w.-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, LIMITS.nodeNameChars)
  return name === '' ? 'node' : name
}

/** `~` in a rule is read by the permissions: what a rule matches may be a command. */
const toPermissions = ({ rule, ...rest }: FileConfig['permissions'], path: (text: string) => string): PermissionsConfig => ({
  ...camelCased(rest),
  sandboxRead: rest.sandbox_read.map(path),
  sandboxWrite: rest.sandbox_write.map(path),
  rules: rule,
})
