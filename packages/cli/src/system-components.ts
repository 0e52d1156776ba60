import process from 'node:process'
import { systemClock } from '@qmtcode/protocol'
import { qmtHomeOf } from './config/file-paths.ts'
import type { Components } from './node-handle.ts'
import { VERSION } from './version.ts'

/** What only some commands need is read when they ask for it: libraries are most of the time of a short command. */
export function systemComponents(): Components {
  const { env, stdin, stdout, stderr } = process
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
      const [{ loadConfig }, { loadPeerId }] = await Promise.all([import('./config/load.ts'), import('@qmtcode/mesh')])
      const { config } = await loadConfig({ argvFile: configPath, home, env, cwd })
      const file = config.mesh.identityFile
      return { peerId: await loadPeerId(file), file }
    },
    version: VERSION,
    stdin,
    stdout,
    stderr,
    env,
    cwd,
    clock: systemClock,
    onInterrupt: (listener) => {
      process.on('SIGINT', listener).on('SIGTERM', listener)
      return () => process.off('SIGINT', listener).off('SIGTERM', listener)
    },
  }
}
