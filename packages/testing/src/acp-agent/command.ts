import { fileURLToPath } from 'node:url'

/** The command of the tests' own ACP agent. `--no-load`: it forgets its sessions; `--resume`: it has session/resume. */
export const acpAgentCommand = (...flags: ('--no-load' | '--resume')[]): string[] => [
  process.execPath,
  fileURLToPath(new URL('./agent-worker.ts', import.meta.url)),
  ...flags,
]
