import { basename, join } from 'node:path'
import process from 'node:process'
import { AppError, systemClock } from '@qmtcode/protocol'
import { openAttachedFile } from './chat/attached-file.ts'
import { qmtHomeOf } from './config/file-paths.ts'
import type { Environment } from './config/environment.ts'
import type { Components, Interrupt } from './node-handle.ts'
import { takeEnvironment } from './own-environment.ts'
import { VERSION } from './version.ts'

/**
 * `nohup` asks to outlive the terminal. It does so by ignoring SIGHUP, which Node undoes at its start, so its name in \`_\`, where shells put
 * the program they start, has to tell.
 */
function listenForInterrupts(listener: (interrupt: Interrupt) => void, env: Environment): () => void {
  const outlives = basename(env['_'] ?? '') === 'nohup'
  const onHangUp = outlives ? () => {} : listener
  process.on('SIGINT', listener).on('SIGTERM', listener).on('SIGHUP', onHangUp)
  return () => process.off('SIGINT', listener).off('SIGTERM', listener).off('SIGHUP', onHangUp)
}

/** What only some commands need is read when they ask for it: libraries are most of the time of a short command. */
export function systemComponents(): Components {
  const { stdin, stdout, stderr } = process
  const env = takeEnvironment(process.env)
  const cwd = process.cwd()
  const home = qmtHomeOf(env, cwd)
  return {
    openNode: async (options) => {
      const { openNode } = await import('./node/open-node.ts')
      return await openNode({ home, env, cwd, version: VERSION }, options)
    },
    checkConfig: async ({ configPath }) => {
      const { checkConfig } = await import('./config/load.ts')
      return await checkConfig({ argvFile: configPath, home, env, cwd })
    },
    configSchema: async () => (await import('./config/json-schema.ts')).configJsonSchema(),
    identity: async ({ configPath }) => {
      const [{ loadConfig }, { loadPeerId }] = await Promise.all([import('./config/load.ts'), import('@qmtcode/mesh/identity')])
      const { config } = await loadConfig({ argvFile: configPath, home, env, cwd })
      const file = config.mesh.identityFile
      return { peerId: await loadPeerId(file), file }
    },
    rotateIdentity: async ({ configPath }) => {
      const [{ loadConfig }, { rotateIdentity }] = await Promise.all([import('./config/load.ts'), import('@qmtcode/mesh/identity')])
      const { acquireHomeLock, readNodeFile } = await import('./local/home-lock.ts')
      const { config } = await loadConfig({ argvFile: configPath, home, env, cwd })
      const lock = acquireHomeLock(home)
      if (!lock) {
        const pid = readNodeFile(home)?.pid
        throw new AppError('conflict', `a running qmtcode${pid === undefined ? '' : ` (process ${pid})`} uses this identity`, {
          hint: `stop it, then rotate${pid === undefined ? '' : `: kill ${pid}`}`,
        })
      }
      try {
        const files = { identityFile: config.mesh.identityFile, knownPeersFile: join(home, 'known_peers.json') }
        return await rotateIdentity({ clock: systemClock }, files)
      } finally {
        lock.release()
      }
    },
    attached: (notice) => openAttachedFile({ file: join(home, 'attached.json'), notice }),
    version: VERSION,
    stdin,
    stdout,
    stderr,
    env,
    cwd,
    clock: systemClock,
    onInterrupt: (listener) => listenForInterrupts(listener, env),
  }
}
