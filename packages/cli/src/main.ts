import process from 'node:process'
import { loadPeerId } from '@qmtcode/mesh'
import { systemClock } from '@qmtcode/protocol'
import { runCli } from './cli.ts'
import { configError, formatDiagnostic } from './config/diagnostics.ts'
import { qmtHomeOf } from './config/file-paths.ts'
import { configJsonSchema } from './config/json-schema.ts'
import { checkConfig, loadConfig } from './config/load.ts'
import type { Components } from './node-handle.ts'
import { openNode } from './node/open-node.ts'
import { VERSION } from './version.ts'

/** The program: ends the process with the command's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  process.exitCode = await runCli(argv, systemComponents())
}

function systemComponents(): Components {
  const { env, stdin, stdout, stderr } = process
  const cwd = process.cwd()
  const home = qmtHomeOf(env, cwd)
  return {
    openNode: (options) => openNode({ home, env, cwd, version: VERSION }, options),
    checkConfig: async ({ configPath }) => {
      const { file, diagnostics } = await checkConfig({ argvFile: configPath, home, env, cwd })
      const error = configError(diagnostics)
      if (error) throw error
      return { file, warnings: diagnostics.map(formatDiagnostic) }
    },
    configSchema: configJsonSchema,
    identity: async ({ configPath }) => {
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
