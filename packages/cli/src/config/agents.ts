import type { AgentSpec, RouteTarget } from '@qmtcode/protocol'
import type { AcpAgentConfig, AgentConfig, Config, RemoteAgentConfig } from './config.ts'
import { modelRefOf } from './model-ref.ts'

const BUILT_IN: AgentSpec = {
  id: 'default',
  name: 'Coder',
  description: 'Reads, changes and runs code in the workspace.',
  kind: 'local',
  capabilities: [],
  target: { kind: 'local' },
}

/** The default agent first, then delegates, agents of other makers, and agents of peers. */
export function agentSpecsOf(config: Config): AgentSpec[] {
  const main = config.planner ?? config.agent
  return [
    main ? specOf(main, 'local', BUILT_IN) : BUILT_IN,
    ...config.delegates.map((delegate) => specOf(delegate, 'delegate')),
    ...config.acpAgents.map(acpSpecOf),
    ...config.remoteAgents.map(remoteSpecOf),
  ]
}

/** `[planner]`, else `[agent]`, else the built-in one. */
export const defaultAgentId = (config: Config): string => (config.planner ?? config.agent ?? BUILT_IN).id

function specOf(agent: AgentConfig, kind: AgentSpec['kind'], like?: AgentSpec): AgentSpec {
  const ref = modelRefOf(agent)
  return {
    id: agent.id,
    name: like && agent.id === like.id ? like.name : agent.id,
    description: agent.description || (like?.description ?? ''),
    kind,
    ...(ref && { model: `${ref.provider}/${ref.model}` }),
    ...(agent.system !== undefined && { system: agent.system }),
    ...(agent.tools && { tools: agent.tools }),
    capabilities: agent.capabilities,
    target: targetOf(agent.peer ?? ref?.node),
    ...(agent.limits.maxSteps !== undefined && { maxSteps: agent.limits.maxSteps }),
  }
}

const remoteSpecOf = ({ id, name, description, peer, capabilities, agent, workspace }: RemoteAgentConfig): AgentSpec => ({
  id,
  name: name ?? id,
  description,
  kind: 'remote',
  capabilities,
  target: targetOf(peer),
  ...((agent ?? workspace) !== undefined && { remote: { agent, workspace } }),
})

const acpSpecOf = ({ id, name, description }: AcpAgentConfig): AgentSpec => ({
  id,
  name: name ?? id,
  description,
  kind: 'local',
  capabilities: ['acp'],
  target: { kind: 'local' },
  foreign: true,
})

function targetOf(peer: string | undefined): RouteTarget {
  if (peer === undefined) return { kind: 'local' }
  return peer === 'any' ? { kind: 'any' } : { kind: 'peer', peer }
}
