import { defineContract, LIMITS, loadSchema, stream } from '@qmtcode/protocol'
import { z } from 'zod'

/** What a node tells about itself: signed, so that others may pass it on one day; and its load, which is true for a moment only. */
const directoryItemSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('record'),
    /** JSON of a `nodeRecord`; the signature is over these very bytes. */
    payload: z.string().max(LIMITS.recordBytes),
    /** Base64. */
    signature: z.string().max(200),
  }),
  z.object({ type: z.literal('load'), load: loadSchema }),
])
export type DirectoryItem = z.infer<typeof directoryItemSchema>
export type SignedRecord = Extract<DirectoryItem, { type: 'record' }>

export const directoryContract = defineContract('directory', 1, {
  /** The callee's record now, each newer one, and its load at most every 250 ms, until the caller leaves. */
  follow: stream(z.object({}), directoryItemSchema),
})
