import { AppError, isAppError } from '@qmtcode/protocol'
import type { PeerId, Role, SessionId } from '@qmtcode/protocol'
import type { SessionRow } from '../../log/types.ts'
import { guestOf } from '../types.ts'
import type { AgentCatalog, SessionsComponents } from '../types.ts'
import { NEEDS, rightsOn } from './rights.ts'
import type { Caller, Need } from './rights.ts'
import { sharedInit } from './share.ts'
import type { SharedSessions } from './share.ts'

/** What a peer does with one session: a method of `Sessions`, or a reply to the model. */
export type Use = keyof typeof NEEDS

export interface JudgeComponents {
  agents: AgentCatalog
  /** This node. */
  node: { readonly name: string; readonly peerId?: PeerId }
}

/** A peer, by the name that this node knows it by, and what this node shares now. */
export interface Party {
  caller: Caller & { name: string }
  share: SharedSessions
}

export interface UseOf {
  id: SessionId
  /** As the log has it now. Undefined: there is no such session. */
  row: SessionRow | undefined
  use: Use
  /** That `configure` chooses. */
  model?: string
}

/** What runs, reads or changes something in the workspace. The rest looks at what was said, or ends it. */
const WORKS: ReadonlySet<Use> = new Set<Use>(['prompt', 'answer', 'reply', 'resume', 'configure', 'fork', 'listFiles', 'readFile'])

/**
 * Whether a peer may do this with a session, right now: by its role, by its right on the session, and, where a peer began the session,
 * by what `[mesh.share]` lists and where the workspace really is. Asked at each call, at each turn's start, before each call of its
 * model and of its tools. Throws not_found or forbidden, with what would allow it.
 */
export async function assertMay(components: JudgeComponents, { caller, share }: Party, { id, row, use, model }: UseOf): Promise<void> {
  const { node } = components
  if (caller.isAllowed?.() === false) throw notAdmitted(components, caller)
  const rights = row ? rightsOn(row, caller, share) : new Set<Need>()
  if (!row || rights.size === 0) {
    throw new AppError('not_found', `no session ${id} on ${node.name}, or none that is given to this node`, {
      hint: `on ${node.name}: qmtcode sessions share ${id} --with ${caller.name} --as observe`,
    })
  }
  if (!rights.has(NEEDS[use])) throw notGiven(components, caller, { id, use })
  if (!WORKS.has(use) || guestOf(row.author, node) === undefined) return
  await sharedInit(components, share, { agent: row.agent, workspace: row.workspace, model: model ?? row.model })
}

export function notGiven({ node }: JudgeComponents, caller: Party['caller'], { id, use }: Pick<UseOf, 'id' | 'use'>): AppError {
  const need = NEEDS[use]
  const given = need === 'reply' ? 'prompt' : need
  const to = need === 'owner' ? 'only its host may, and its creator as a client' : `it needs the right ${given}`
  const hint = need === 'owner' ? undefined : `on ${node.name}: qmtcode sessions share ${id} --with ${caller.name} --as ${given}`
  return new AppError('forbidden', `session ${id} on ${node.name}: ${use} is not allowed to this node; ${to}`, { hint })
}

const notAdmitted = ({ node }: JudgeComponents, { peerId, name }: Pick<Party['caller'], 'peerId' | 'name'>): AppError =>
  new AppError('forbidden', `${name} is not admitted to ${node.name} now`, { hint: `on ${node.name}: qmtcode peers admit ${peerId}` })

export interface TurnJudgeOptions {
  share: SharedSessions
  /** What a peer is called here, and may do here, right now. Absent: the mesh is off, and nothing is known of peers. */
  about?(peerId: PeerId): { name: string; role?: Role }
}

/** What turns ask of `assertMay`, for a peer that need not be connected. This node's own person may all. */
export function createTurnJudge(
  components: JudgeComponents,
  { share, about }: TurnJudgeOptions,
): NonNullable<SessionsComponents['assertMay']> {
  const { node } = components
  return async (author, use, row) => {
    const peerId = guestOf(author, node)
    if (peerId === undefined) return
    if (!about) {
      throw new AppError('interrupted', `the mesh is off on ${node.name}: what ${author.node} may do is not known`, {
        hint: `start it with --mesh, then: qmtcode sessions resume ${row.id}`,
      })
    }
    const { name, role } = about(peerId)
    if (role === undefined) throw notAdmitted(components, { peerId, name })
    try {
      await assertMay(components, { caller: { peerId, name, role: () => role }, share }, { id: row.id, row, use })
    } catch (error) {
      if (!isAppError(error, 'not_found')) throw error
      throw new AppError('forbidden', `${name} has no right on session ${row.id} of ${node.name} any more`, { hint: error.hint })
    }
  }
}
