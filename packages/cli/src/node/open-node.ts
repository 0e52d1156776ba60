import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { TOOL_VARIABLE } from '@qmtcode/agent/vocabulary'
import { localInterfaceAddresses } from '@qmtcode/mesh/addresses'
import { hasJoined } from '@qmtcode/mesh/joined'
import { AppError, isAppError } from '@qmtcode/protocol'
import type { Config, MeshConfig } from '../config/config.ts'
import { dialOnly } from '../config/dial-only.ts'
import { formatDiagnostic } from '../config/diagnostics.ts'
import { meshFingerprint } from '../config/fingerprint.ts'
import { applyFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { acquireHomeLock, readNodeFile } from '../local/home-lock.ts'
import type { HomeLock, NodeFile } from '../local/home-lock.ts'
import { isToolOf } from '../local/descent.ts'
import { connectLocal } from '../local/local-client.ts'
import type { NodeHandle, OpenNodeComponents, OpenNodeOptions } from '../node-handle.ts'
import { personsSessions, personsTrust, personsWorkspaces } from './persons-trust.ts'
import { remoteHandle } from './remote-handle.ts'

const HOLDER_STARTS_MS = 15_000
const HOLDER_POLL_MS = 50

/** The node of this QMT_HOME: the one that runs, or one of this process for the time of a command. */
export async function openNode(components: OpenNodeComponents, options: OpenNodeOptions): Promise<NodeHandle> {
  const asked = await readAsked(components, options)
  const deadline = Date.now() + HOLDER_STARTS_MS
  for (;;) {
    const lock = acquireHomeLock(components.home)
    if (lock) return forPerson(components, await startHere(components, options, asked, lock))
    const holder = readNodeFile(components.home)
    const reached = holder && (await reach(holder, options, asked))
    if (reached) return forPerson(components, reached, holder.pid)
    options.signal.throwIfAborted()
    if (Date.now() > deadline) {
      throw new AppError('busy', `another qmtcode holds ${components.home} and does not answer`, {
        hint: 'is it stopping? try again, or look for its process',
      })
    }
    await delay(HOLDER_POLL_MS, undefined, { signal: options.signal })
  }
}

/** The running node looks at who calls, too; this one also holds where the system does not tell it. */
function forPerson({ env }: OpenNodeComponents, handle: NodeHandle, holder?: number): NodeHandle {
  const { trust } = handle
  const isTool = async (): Promise<boolean> => env[TOOL_VARIABLE] !== undefined || (await isToolOf(holder, process.pid))
  const sessions = personsSessions(handle.sessions, isTool)
  const workspaces = personsWorkspaces(handle.workspaces, isTool)
  return { ...handle, sessions, workspaces, ...(trust && { trust: personsTrust(trust, isTool) }) }
}

interface Asked {
  config: Config
  dialling: string[]
  notices: string[]
}

async function readAsked({ home, env, cwd }: OpenNodeComponents, options: OpenNodeOptions): Promise<Asked> {
  const loaded = await loadConfig({ argvFile: options.configPath, home, env, cwd })
  const applied = applyFlags(loaded.config, { mesh: options.mesh }, { localAddresses: localInterfaceAddresses() })
  const mesh = await meshFor(applied.config, options)
  const notices = [...loaded.notices, ...applied.notices].map(formatDiagnostic)
  return { config: { ...applied.config, mesh }, dialling: applied.dialling, notices }
}

/** What was said of the mesh holds. Where nothing was, the home of a member has one for its commands, which opens no port. */
async function meshFor({ home, mesh, saysMesh }: Config, { serve, withMesh }: OpenNodeOptions): Promise<MeshConfig> {
  if (mesh.enabled) return mesh
  const isMember = !saysMesh && !serve && withMesh !== 'listens' && (await hasJoined(join(home, 'known_peers.json')))
  if (isMember || withMesh === 'dials') return dialOnly(mesh)
  return withMesh === undefined ? mesh : { ...mesh, enabled: true }
}

async function startHere(components: OpenNodeComponents, options: OpenNodeOptions, asked: Asked, lock: HomeLock): Promise<NodeHandle> {
  for (const notice of asked.notices) options.notice(notice)
  try {
    const { startLocalNode } = await import('./local-node.ts') // not for a client of a running node
    return await startLocalNode({ ...components, lock, config: asked.config, dialling: asked.dialling }, options)
  } catch (error) {
    lock.release()
    throw error
  }
}

/**
 * What this command says of the mesh must be what the running node does: nothing silently differs.
 * Undefined: the holder ends right now, or was killed; its home is free in a moment.
 */
async function reach(holder: NodeFile, options: OpenNodeOptions, asked: Asked): Promise<NodeHandle | undefined> {
  const pid = holder.pid
  if (options.serve)
    throw new AppError('bad_request', `qmtcode already runs here as process ${pid}`, {
      hint: `one node per QMT_HOME: stop it (kill ${pid}), or set another QMT_HOME`,
    })
  const says = options.configPath !== undefined || options.mesh.enabled
  if (says && meshFingerprint(asked.config) !== holder.fingerprint) {
    throw new AppError('bad_request', `the running qmtcode (process ${pid}) has another configuration of the mesh than this command`, {
      hint: `leave out the mesh flags and the configuration to use it, or stop it (kill ${pid})`,
    })
  }
  try {
    return await remoteHandle(connectLocal(holder.socket))
  } catch (error) {
    if (isAppError(error, 'peer_unreachable', 'link_lost')) return undefined
    throw error
  }
}
