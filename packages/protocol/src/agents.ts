import { z } from 'zod'
import { routeTargetSchema } from './routing.ts'

/** An agent as its user configures it; the JSON of `qmtcode agents` is a part of it. */
export const agentSpecSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  kind: z.enum(['local', 'delegate', 'remote']),
  /** `provider/model`; absent: the node's default model, decided when it is needed. */
  model: z.string().optional(),
  system: z.string().optional(),
  /** Tool names it is offered; absent: all. */
  tools: z.array(z.string()).optional(),
  capabilities: z.array(z.string()),
  /** Where its model calls go. */
  target: routeTargetSchema,
  /** Model calls of one turn; absent: the loop's default. */
  maxSteps: z.int().positive().optional(),
  /** Of an agent that runs on a peer: what it is called there (default: the same, else that node's default agent), and its directory there. */
  remote: z.object({ agent: z.string().optional(), workspace: z.string().optional() }).optional(),
  /** An agent of another maker, with tools and models of its own. */
  foreign: z.literal(true).optional(),
})
export interface AgentSpec extends z.infer<typeof agentSpecSchema> {}
