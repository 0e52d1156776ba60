import type { ResolvedPath } from '../tools/workspace.ts'
import type { SessionPermissions } from './types.ts'

/**
 * Whether what is in a file may become words for a model: asked wherever a message is made of a file that nobody asked to read. A question that
 * nobody was asked is a no. Where the file lies is not asked here: that was settled when it was opened.
 */
export function mayShow(permissions: SessionPermissions, path: ResolvedPath): boolean {
  const { action, needs } = permissions.decide({ tool: 'read_file', permission: 'read', path })
  return action === 'allow' || (action === 'ask' && needs.every((need) => need === 'outside'))
}
