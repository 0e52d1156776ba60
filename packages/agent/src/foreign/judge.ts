import { stat } from 'node:fs/promises'
import type { DurableEvent, Json } from '@qmtcode/protocol'
import type { PermissionDecision, PermissionSubject, SessionPermissions } from '../permissions/types.ts'
import type { ToolPermission } from '../tools/types.ts'
import type { ResolvedPath, Workspace } from '../tools/workspace.ts'
import type { Grant } from '../turn/turn-rights.ts'
import { MAX_PATHS } from './claim.ts'
import type { Claim } from './claim.ts'

export interface JudgeOptions {
  forGuest: boolean
  mode: 'build' | 'plan'
  /** Whether commands of peers' sessions are asked of this node's person, or not run at all. */
  guestShell: 'no' | 'ask'
}

/** By our rules, the strictest of all that a call touches. */
export async function judge(
  claim: Claim,
  { workspace, permissions }: { workspace: Workspace; permissions: SessionPermissions },
  { forGuest, mode, guestShell }: JudgeOptions,
): Promise<PermissionDecision & { subjects: PermissionSubject[] }> {
  const { name: tool, command, isMore } = claim
  const resolved = await Promise.all(claim.paths.map((path) => workspace.resolve(path)))
  // A search of an agent's own leaves out nothing.
  const isUnseen = claim.permission === 'read' && permissions.keepsBack() && (await holdsDirectory(resolved))
  const permission = isUnseen ? 'shell' : claim.permission
  const subjects: PermissionSubject[] = resolved.length === 0 || permission === 'shell' ? [{ tool, permission, command, isMore }] : []
  for (const path of resolved) subjects.push({ tool, permission: permission === 'shell' ? 'read' : permission, path })
  const deny = (reason: string) => ({ action: 'deny' as const, reason, needs: [], subjects })
  if (mode === 'plan' && permission !== 'read') return deny('plan mode: nothing is changed or run')
  if (forGuest && guestShell === 'no' && permission !== 'read' && permission !== 'edit') {
    return deny('sessions of peers run no commands on this node (only shell = "ask" in [mesh.share] would let them)')
  }
  const decisions = subjects.map((subject) => permissions.decide(subject))
  const denied = decisions.find(({ action }) => action === 'deny')
  if (denied) return { ...denied, subjects }
  const asked = decisions.filter(({ action }) => action === 'ask')
  if (asked.length === 0) return { action: 'allow', reason: 'allowed', needs: [], subjects }
  const needs = [...new Set(asked.flatMap((decision) => decision.needs))]
  const reason = [...new Set(asked.map((decision) => decision.reason))].filter((text) => text !== '').join('; ')
  const reserved = asked.some((decision) => decision.reserved)
  const unseen = asked.find((decision) => decision.unseen)?.unseen
  return { action: 'ask', reason, needs, subjects, ...(reserved && { reserved }), ...(unseen && { unseen }) }
}

async function holdsDirectory(paths: readonly ResolvedPath[]): Promise<boolean> {
  const found = await Promise.all(paths.map(async ({ real }) => await stat(real).catch(() => undefined)))
  return found.some((one) => one?.isDirectory())
}

/** What the log says was allowed for the session, to whoever `peerId` is: nobody lends it to another node. */
export function grantedBefore(events: readonly DurableEvent[], peerId: string | undefined, workspace: Workspace): Grant[] {
  const asked = new Map<string, Extract<DurableEvent, { type: 'permission.requested' }>>()
  return events.flatMap((event) => {
    if (event.type === 'permission.requested' && !event.reserved && event.author.peerId === peerId) asked.set(event.id, event)
    if (event.type !== 'permission.answered' || event.answer !== 'allow_session') return []
    const [request, { by }] = [asked.get(event.id), event]
    if (!request) return []
    const paths = pathsOfInput(request.input)
    const command = commandOfInput(request.input)
    const own = (request.needs ?? []).filter((need): need is ToolPermission => need !== 'outside' && isPermission(need))
    const permissions: ToolPermission[] = own.length > 0 ? own : ['read']
    return permissions.flatMap((permission): Grant[] => {
      const base = { tool: request.tool, permission, ...(permission === 'shell' && { command }) }
      if (paths.length === 0 || permission === 'shell') return [{ subject: base, by }]
      return paths.map((path) => ({ subject: { ...base, path: workspace.locate(path) }, by }))
    })
  })
}

const isPermission = (word: string): boolean => ['read', 'edit', 'shell', 'web', 'mcp'].includes(word)

/** As a question has it. Undefined where the command was not all that would be run. */
function commandOfInput(input: Json): string | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input) || input['more'] === true) return undefined
  return typeof input['command'] === 'string' ? input['command'] : undefined
}

function pathsOfInput(input: Json): string[] {
  if (typeof input !== 'object' || input === null || Array.isArray(input) || !Array.isArray(input['paths'])) return []
  return input['paths'].filter((path): path is string => typeof path === 'string').slice(0, MAX_PATHS)
}
