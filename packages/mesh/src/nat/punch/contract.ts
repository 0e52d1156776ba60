import { defineContract, natKindSchema, unary, statedLine } from '@qmtcode/protocol'
import { z } from 'zod'

const endpointSchema = z.object({ host: z.ipv4(), port: z.int().min(1_024).max(65_535) })

/** What one side of a meeting says of itself. */
const sideSchema = z.object({
  nat: natKindSchema,
  /** How its socket is seen; datagrams shall go there. */
  mapped: endpointSchema.optional(),
  /** Why it cannot, whatever the NATs. */
  problem: statedLine(300).optional(),
})
export interface MeetingSide extends z.infer<typeof sideSchema> {}

/** How two peers behind NATs open a way to each other. Called over the relayed line that they have. */
export const punchContract = defineContract('punch', 1, {
  /** Of a relay: where to ask how one is seen. */
  stun: unary(z.object({}), z.object({ ports: z.array(z.int().min(1).max(65_535)).min(1).max(2), username: z.string().min(8).max(64) })),
  /** Of the peer: both send from when it answers. `token` marks what they send. */
  meet: unary(z.object({ token: z.string().regex(/^[\w-]{20,40}$/) }).extend(sideSchema.shape), sideSchema),
})
