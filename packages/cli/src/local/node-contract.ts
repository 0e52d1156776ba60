import { agentSpecSchema, defineContract, peerIdSchema, unary } from '@qmtcode/protocol'
import { z } from 'zod'

/** What a node says of itself to commands of the same user. */
export const nodeStatusSchema = z.object({
  node: z.string(),
  peerId: peerIdSchema.optional(),
  pid: z.int(),
  version: z.string(),
  listenAddresses: z.array(z.string()),
  /** The model that answers where nobody named one, or why there is none. */
  defaultModel: z.union([z.object({ model: z.string(), from: z.string() }), z.object({ problem: z.string() })]),
  /** Whether peers, trust and routes to peers exist here. */
  mesh: z.boolean(),
})
export interface NodeStatus extends z.infer<typeof nodeStatusSchema> {}

export const nodeContract = defineContract('node', 1, {
  status: unary(z.object({}), nodeStatusSchema),
  agents: unary(z.object({}), z.array(agentSpecSchema)),
})
