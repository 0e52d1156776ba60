import { TOOL_VARIABLE } from '../tools/environment.ts'
import type { Environment } from '../tools/environment.ts'

/**
 * What a foreign agent is started with: the environment of whoever runs qmtcode, provider keys included, since it has its own models to pay
 * and that person wrote its command. What is qmtcode's own is left out.
 */
export function foreignEnvironment(env: Environment): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !name.startsWith('QMT_')) passed[name] = value
  }
  return { ...passed, [TOOL_VARIABLE]: '1' }
}
