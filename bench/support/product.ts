import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { PeerId } from '@qmtcode/protocol'
import type { Children, Program } from './children.ts'
import type { Place } from './mesh.ts'

const BIN = fileURLToPath(new URL('../../packages/cli/bin/qmtcode.js', import.meta.url))

export interface HostInit {
  directory: string
  /** Admitted, as clients unless `role` says more. */
  guests: readonly PeerId[]
  role?: 'client' | 'member' | 'admin'
  /** Base URL of the model server that it shares as `mock/…`. */
  mock?: string
  nodeFlags?: readonly string[]
}

export interface StartedHost {
  program: Program
  place: Place
  /** From the start of its process to its `listening:` line. */
  startMs: number
}

/** A real `qmtcode --mesh --headless` on loopback, with a QMT_HOME of its own; ready when it says where it listens. */
export async function startHost(
  children: Children,
  { directory, guests, role = 'client', mock, nodeFlags = [] }: HostInit,
): Promise<StartedHost> {
  const home = join(directory, 'home')
  await mkdir(home, { recursive: true, mode: 0o700 })
  await writeFile(join(home, 'config.toml'), configOf({ guests, role, mock }))
  const startedAt = performance.now()
  const program = children.program([...nodeFlags, BIN, '--headless', '--mesh'], {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    QMT_HOME: home,
    NO_COLOR: '1',
  })
  const [, address = '', peerId = ''] = await program.line(/listening: (\S+\/p2p\/(\S+))/)
  return { program, place: { address, peerId: peerId as PeerId }, startMs: performance.now() - startedAt }
}

const configOf = ({ guests, role, mock }: Pick<HostInit, 'guests' | 'role' | 'mock'>): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "bench-host"

[mesh.share]
models = ["*"]
${mock === undefined ? '' : `\n[providers.mock]\nkind = "openai-compatible"\nbase_url = "${mock}"\n`}
${guests.map((peerId, index) => `[[mesh.peers]]\nname = "guest-${index}"\npeer_id = "${peerId}"\nrole = "${role}"\nuse = false\n`).join('\n')}`
