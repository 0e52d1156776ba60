import type { DurableEvent } from '@qmtcode/protocol'
import type { ToolSet } from '../tools/types.ts'
import type { Workspace } from '../tools/workspace.ts'
import type { Grant } from '../turn/turn-rights.ts'

/**
 * What the log says was answered with `allow_session`, and by whom. What was reserved for the host's person was allowed once, whatever the
 * answer. Paths are taken as they were written, without following symlinks: a link that was changed since then points at
 * nothing that was granted, and is asked for again.
 */
export function grantedIn(events: readonly DurableEvent[], tools: ToolSet, workspace: Workspace): Grant[] {
  const asked = new Map<string, Extract<DurableEvent, { type: 'permission.requested' }>>()
  const granted: Grant[] = []
  for (const event of events) {
    if (event.type === 'permission.requested' && !event.reserved) asked.set(event.id, event)
    if (event.type !== 'permission.answered' || event.answer !== 'allow_session') continue
    const request = asked.get(event.id)
    const tool = request && tools.get(request.tool)
    const input = tool?.inputSchema.safeParse(request?.input)
    if (!tool || input?.success !== true) continue
    const target = tool.target?.(input.data)
    const path = target?.path === undefined ? undefined : workspace.locate(target.path)
    const { name, permission, alsoReads } = tool
    granted.push({ subject: { tool: name, permission, alsoReads, path, command: target?.command }, by: event.by })
  }
  return granted
}
