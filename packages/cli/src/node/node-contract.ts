import { agentSpecSchema, authorSchema, defineContract, peerIdSchema, sessionIdSchema, stream, unary } from '@qmtcode/protocol'
import { z } from 'zod'

/** What a node says of itself to commands of the same user; `NodeStatus` on the wire. */
const nodeStatusSchema = z.object({
  node: z.string(),
  peerId: peerIdSchema.optional(),
  pid: z.int(),
  version: z.string(),
  listenAddresses: z.array(z.string()),
  dialling: z.array(z.object({ address: z.string(), note: z.string().optional() })).optional(),
  defaultModel: z
    .union([z.object({ model: z.string(), from: z.string() }), z.object({ problem: z.string(), hint: z.string().optional() })])
    .optional(),
  problems: z.array(z.string()).optional(),
  /** Whether peers and trust exist here. */
  mesh: z.boolean(),
})

const reservedChangeSchema = z.object({
  type: z.enum(['asked', 'settled']),
  question: z.object({ sessionId: sessionIdSchema, id: z.string(), tool: z.string(), summary: z.string(), author: authorSchema }),
})

const broughtFileSchema = z.object({
  path: z.string(),
  by: z.string(),
  runs: z.boolean(),
  print: z.string(),
  state: z.enum(['trusted', 'declined', 'changed', 'new']),
})
const seenFileSchema = broughtFileSchema.pick({ path: true, print: true })

export const nodeContract = defineContract('node', 1, {
  status: unary(z.object({}), nodeStatusSchema),
  agents: unary(z.object({}), z.array(agentSpecSchema)),
  lookAt: unary(z.object({ directory: z.string() }), z.object({ root: z.string(), files: z.array(broughtFileSchema) })),
  decideOn: unary(
    z.object({ directory: z.string(), files: z.array(seenFileSchema), decision: z.enum(['trust', 'decline']) }),
    z.object({}),
  ),
  reserved: stream(z.object({}), reservedChangeSchema),
})
