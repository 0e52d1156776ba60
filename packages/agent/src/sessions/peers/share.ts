import { realpath } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { AppError } from '@qmtcode/protocol'
import type { AgentModels, AgentModelsQuery, AgentSpec, PeerId, SessionInit, Sessions } from '@qmtcode/protocol'
import { isShared } from '../../models/host/shared-offers.ts'
import { matchesPattern } from '../../models/model-id.ts'
import { GUEST_ALLOWS } from '../../permissions/guests.ts'
import { isWithin } from '../../tools/real-path.ts'
import type { AgentCatalog } from '../types.ts'

/** `[mesh.share]`, as far as it is about sessions. */
export interface SharedSessions {
  /** Agent ids; `*` stands for any text. */
  agents: readonly string[]
  /** Absolute directories. Empty: no sessions of peers. */
  workspaces: readonly string[]
  /** Models that peers may choose: `provider/model`, `*` stands for any text. */
  models: readonly string[]
  /** Rows that members see beside their own: of sessions that other nodes take part in, of all that are not private, none. */
  sessions: 'shared' | 'all' | 'none'
  /** Since when this admin may observe what others began. Undefined: it may not. */
  observesSince?(peerId: PeerId): number | undefined
}

export interface ShareComponents {
  agents: AgentCatalog
  node: { readonly name: string }
}

/** What a peer asked for, in the terms of this node. Throws forbidden, with the key that would allow it, for what is not shared. */
export async function sharedInit({ agents, node }: ShareComponents, share: SharedSessions, init: SessionInit): Promise<SessionInit> {
  const refuse = (what: string, key: string): AppError =>
    new AppError('forbidden', `${node.name} ${what}`, { hint: `on ${node.name}: ${key} in [mesh.share]` })
  const [firstWorkspace] = share.workspaces
  if (firstWorkspace === undefined) throw refuse('shares no workspace: peers cannot have sessions there', 'workspaces = ["/directory"]')
  if (share.agents.length === 0) throw refuse('shares no agent: peers cannot have sessions there', 'agents = ["AGENT"]')
  const agent = init.agent ?? defaultAgent(agents, share)
  if (agent === undefined || !isSharedAgent({ id: agent, foreign: agents.get(agent)?.foreign }, share)) {
    throw refuse(
      agent === undefined ? 'does not share its default agent: name one' : `does not share the agent ${agent}`,
      sharedList('agents', share.agents),
    )
  }
  const spec = agents.get(agent)
  if (spec && spec.target.kind !== 'local') throw refuse(`does not share ${agent}: it thinks on another node`, 'agents = […]')
  checkModel({ node }, share, init.model)
  const reserved = (init.allow ?? []).filter((word) => !GUEST_ALLOWS.includes(word))
  if (reserved.length > 0) {
    throw new AppError('forbidden', `only the person at ${node.name} may allow ${reserved.join(', ')} there`, {
      hint: `a peer may allow: ${GUEST_ALLOWS.join(', ')}`,
    })
  }
  const workspace = await sharedWorkspace(share.workspaces, init.workspace ?? firstWorkspace)
  if (workspace === undefined) throw refuse(`does not share the workspace ${init.workspace}`, sharedList('workspaces', share.workspaces))
  return { ...init, agent, workspace }
}

/** Of the agents that are shared, the models that are shared. Throws forbidden for one that is not. */
export async function sharedAgentModels(
  components: ShareComponents,
  share: SharedSessions,
  { query: { agent, workspace }, models }: { query: AgentModelsQuery; models: Sessions['agentModels'] },
): Promise<AgentModels[]> {
  const isForeign = (id: string): boolean => components.agents.get(id)?.foreign === true
  const ids = agent === undefined ? share.agents.filter((id) => share.workspaces.length > 0 && isForeign(id)) : [agent]
  const answers = ids.map(async (id) => await models(await sharedInit(components, share, { agent: id, workspace })))
  return (await Promise.all(answers)).flat().map(({ current, ...told }) => ({
    ...told,
    ...(told.problem !== undefined && { problem: problemForPeers(told, components.node.name) }),
    models: told.models.filter(({ id }) => isShared(id, share.models)),
    ...(current !== undefined && isShared(current, share.models) && { current }),
  }))
}

/** What failed may name commands, files and accounts of the host: those are for its own person. */
function problemForPeers({ agent, code = 'internal' }: AgentModels, node: string): string {
  switch (code) {
    case 'bad_config':
      return `agent ${agent} cannot be started on ${node} (${code})`
    case 'busy':
    case 'rate_limited':
    case 'interrupted':
      return `${node} has no room for agent ${agent} now: try again later (${code})`
    case 'timeout':
      return `agent ${agent} did not answer on ${node} in time (${code})`
    default:
      return `agent ${agent} does not tell its models on ${node} (${code}); to see why, on ${node}: qmtcode models`
  }
}

/** Throws forbidden for a model that is not shared, or of a third node. */
export function checkModel({ node }: Pick<ShareComponents, 'node'>, share: SharedSessions, model: string | undefined): void {
  if (model === undefined || (!namesNode(model) && isShared(model, share.models))) return
  throw new AppError('forbidden', `${node.name} does not share the model ${model}`, {
    hint: namesNode(model)
      ? 'name the model without a node: it runs where the session is'
      : `on ${node.name}: ${sharedList('models', share.models)} in [mesh.share]`,
  })
}

/** An agent of another maker has tools of its own: it is shared by its whole id, and by no pattern. */
export const isSharedAgent = ({ id, foreign }: Pick<AgentSpec, 'id' | 'foreign'>, share: Pick<SharedSessions, 'agents'>): boolean =>
  share.agents.some((pattern) => (foreign ? pattern === id : matchesPattern(pattern, id)))

const sharedList = (key: string, values: readonly string[]): string => `${key} = ${JSON.stringify(values)}`

/** The node is what precedes the first `:`, if no `/` comes before it. */
const namesNode = (model: string): boolean => /^[^/]*:/.test(model)

function defaultAgent(agents: AgentCatalog, share: SharedSessions): AgentSpec['id'] | undefined {
  const { id, foreign } = agents.default()
  return isSharedAgent({ id, foreign }, share) ? id : share.agents.find((pattern) => agents.get(pattern))
}

/**
 * The real path of `asked`, if it lies in one of the real `shared`. A path below a shared one that is not there is given back as it is:
 * what creates the session says so. Of a path anywhere else nothing is told, not even whether it exists.
 */
async function sharedWorkspace(shared: readonly string[], asked: string): Promise<string | undefined> {
  if (!isAbsolute(asked)) throw new AppError('bad_request', `workspace ${asked} is not an absolute path`)
  const real = await realpath(asked).catch(() => undefined)
  for (const directory of shared) {
    const root = await realpath(directory).catch(() => undefined)
    if (root === undefined) continue
    if (real !== undefined && isWithin(root, real)) return real
    if (real === undefined && isWithin(directory, asked) && !asked.split('/').includes('..')) return asked
  }
  return undefined
}
