import { z } from 'zod'
import { agentId, count, peerRef, providerName, text, texts } from './values.ts'

const MAX_TOKENS = 1_000_000_000

const limitsSchema = z.strictObject({
  max_steps: count(1, 10_000).optional().describe('Model calls of one turn.'),
  max_tokens: count(1, MAX_TOKENS).optional().describe('Tokens of one task, in and out.'),
  max_cost_usd: z.number().min(0).max(1_000_000).optional().describe('Price of one task.'),
  idle_secs: count(1, 604_800).optional().describe('How long a task may make no progress.'),
  max_depth: count(0, 16).optional().describe('How deep its own delegates may nest.'),
})

const shared = {
  provider: providerName().optional().describe('Provider of the model; may also stand in `model` as `provider/model`.'),
  model: text()
    .optional()
    .describe("The provider's name of the model, or `provider/model`, or `node:provider/model`. Default: the node's default model."),
  description: z.string().default('').describe('What it is good for; the planner reads it.'),
  peer: peerRef().optional().describe('Node that its model calls go to: a name of `[[mesh.peers]]`, a peer id, or `any`. Tools run here.'),
  tools: texts().optional().describe('Tools it is offered. Default: all.'),
  capabilities: texts().default([]).describe('Words to choose agents by.'),
  system: z.string().optional().describe('Its system prompt, over the built-in one.'),
  mcp: texts().default([]).describe('Names of `[[mcp]]` servers it is offered.'),
  limits: limitsSchema.prefault({}).describe('Bounds of its work.'),
  verify: text().optional().describe('Command that has to succeed before its result counts.'),
  on_lost: z.enum(['wait', 'fail']).default('wait').describe('What happens when its node is lost for good.'),
}

const idOr = (id: string) => agentId().default(id).describe('What it is called on the command line and in sessions.')
export const agentSchema = z.strictObject({ id: idOr('default'), ...shared })
export const plannerSchema = z.strictObject({ id: idOr('planner'), ...shared })
export const delegateSchema = z.strictObject({ id: agentId().describe('What the planner and the command line call it.'), ...shared })

export const remoteAgentSchema = z.strictObject({
  id: agentId().describe('What it is called here.'),
  name: text().optional().describe('What people read. Default: the id.'),
  description: z.string().default('').describe('What it is good for.'),
  peer: peerRef().describe('Node that runs it, tools and all: a name of `[[mesh.peers]]`, a peer id, or `any`.'),
  agent: agentId().optional().describe("The peer's agent. Default: the one of the same id, else its default."),
  capabilities: texts().default([]).describe('Words to choose agents by.'),
  workspace: text().optional().describe('Directory of the peer, one that it shares.'),
})

export const acpAgentSchema = z.strictObject({
  id: agentId().describe('What it is called here.'),
  name: text().optional().describe('What people read. Default: the id.'),
  description: z.string().default('').describe('What it is good for.'),
  acp: z.array(text()).min(1).describe('Command that speaks the Agent Client Protocol on stdio, and its arguments.'),
  idle_secs: count(1, 604_800).default(900).describe('How long it may say nothing while a prompt runs.'),
})
