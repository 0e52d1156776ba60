import type { AgentSpec, RoutingPolicy } from '@qmtcode/protocol'
import type { NodeStatus } from '../node-handle.ts'
import { printableLine } from '../output/printable.ts'
import { withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { printList } from './list.ts'

interface AgentRow extends Pick<AgentSpec, 'id' | 'name' | 'description' | 'capabilities' | 'kind'> {
  /** Where its sessions run. */
  node: string
  /** Where its model calls go; null: this node. */
  peer: string | null
  model: string | null
  /** Of another maker: its models are its own. */
  foreign: boolean
}

export async function agents(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  return await withNode(context, {}, async (node) => {
    const { node: own, defaultModel } = await node.status()
    const rows = (await node.agents()).map((agent) => rowOf(agent, own))
    printList(context, json, { rows, columns: agentColumns(defaultModel), json: (row) => row, none: 'no agents' })
    return 0
  })
}

function rowOf(agent: AgentSpec, own: string): AgentRow {
  const { id, name, description, kind, capabilities, target, foreign = false } = agent
  const peer = target.kind === 'local' ? null : target.kind === 'peer' ? target.peer : 'any'
  return {
    id,
    name,
    description,
    node: kind === 'remote' && peer !== null ? peer : own,
    peer,
    capabilities,
    kind,
    model: agent.model ?? null,
    foreign,
  }
}

const agentColumns = (defaultModel: NodeStatus['defaultModel']) => [
  { title: 'ID', value: (row: AgentRow) => printableLine(row.id) },
  { title: 'KIND', value: (row: AgentRow) => row.kind },
  { title: 'MODEL', value: (row: AgentRow) => printableLine(row.model ?? modelOf(row, defaultModel)) },
  { title: 'THINKS ON', value: (row: AgentRow) => printableLine(row.peer ?? row.node) },
  { title: 'CAPABILITIES', value: (row: AgentRow) => printableLine(row.capabilities.join(' ')), min: 8 },
  { title: 'DESCRIPTION', value: (row: AgentRow) => printableLine(row.description), min: 12 },
]

/** Of an agent that names none: a peer's has its node's default, which is not told here. */
function modelOf({ peer, foreign }: AgentRow, defaultModel: NodeStatus['defaultModel']): string {
  if (foreign) return 'its own'
  if (peer !== null || defaultModel === undefined) return 'default'
  return 'model' in defaultModel ? `${defaultModel.model} (default)` : 'none'
}

export async function routes(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  return await withNode(context, { needsPeers: true }, async (node) => {
    const rows = [...node.routes.load().policies()]
    printList(context, json, { rows, columns: routeColumns, json: routeJson, none: 'no routes' })
    return 0
  })
}

const routeJson = ({ agentId, providerTarget, resolvedProviderNodeId, reason }: RoutingPolicy): unknown => ({
  agentId,
  providerTarget,
  resolvedProviderNodeId: resolvedProviderNodeId ?? null,
  reason,
})

const routeColumns = [
  { title: 'AGENT', value: (row: RoutingPolicy) => printableLine(row.agentId) },
  {
    title: 'GOES TO',
    value: ({ providerTarget }: RoutingPolicy) =>
      printableLine(providerTarget.kind === 'peer' ? `peer ${providerTarget.peer}` : providerTarget.kind),
  },
  { title: 'NODE ID', value: (row: RoutingPolicy) => row.resolvedProviderNodeId ?? '-', spare: 1 },
  { title: 'WHY', value: (row: RoutingPolicy) => printableLine(row.reason, 300), min: 16 },
]
