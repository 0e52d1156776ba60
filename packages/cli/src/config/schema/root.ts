import { z } from 'zod'
import { acpAgentSchema, agentSchema, delegateSchema, plannerSchema, remoteAgentSchema } from './agents.ts'
import { meshSchema } from './mesh.ts'
import { mcpSchema, permissionsSchema, providerSchema, serverSchema } from './node.ts'

/** The whole file, as written. What crosses tables is in `checks.ts`. */
export const fileSchema = z.strictObject({
  mesh: meshSchema.optional().describe('The mesh node. A `[mesh]` or `[[mesh.peers]]` table enables it unless it says `enabled = false`.'),
  agent: agentSchema.optional().describe('The default agent. Without it: a coder with the default model and all tools.'),
  planner: plannerSchema.optional().describe('The default agent, where it hands work to `[[delegates]]`. Either this or `[agent]`.'),
  delegates: z.array(delegateSchema).default([]).describe('Agents that the default agent can hand work to; also usable by `--agent ID`.'),
  remote_agents: z.array(remoteAgentSchema).default([]).describe('Agents that run on a peer, tools and all.'),
  agents: z.array(acpAgentSchema).default([]).describe('Agents of other makers.'),
  providers: z.record(z.string(), providerSchema).default({}).describe('Servers of models; NAME is the provider in `provider/model`.'),
  permissions: permissionsSchema
    .prefault({})
    .describe('What tools may do: `allow`, `ask` or `deny`. Where nobody can answer, ask is deny.'),
  mcp: z.array(mcpSchema).default([]).describe('MCP servers.'),
  server: serverSchema.prefault({}).describe('The local API and the dashboard.'),
})

/** A file that passed, with defaults; keys as written. */
export type FileConfig = z.output<typeof fileSchema>
