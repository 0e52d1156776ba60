import { defineContract, stream, unary } from '@qmtcode/protocol'
import { z } from 'zod'
import { entrySchema, keySchema, setNameSchema, versionSchema } from './entry.ts'
import { BUCKETS } from './summary.ts'

/** Pairs of one item of a digest, and keys of one fetch. */
export const DIGEST_PAGE = 500
export const FETCH_KEYS = 200
/** Entries of one push, and about so many bytes of them. */
export const PUSH_ENTRIES = 200
export const PUSH_BYTES = 262_144

const hashSchema = z.string().regex(/^[0-9a-f]{8}$/)

export const gossipContract = defineContract('gossip', 1, {
  /** One hash a set, of all that it holds. A set that the callee lacks is not there. */
  summary: unary(z.object({}), z.object({ sets: z.array(z.object({ name: setNameSchema, hash: hashSchema })).max(40) })),
  /** One hash a bucket of keys. */
  buckets: unary(z.object({ set: setNameSchema }), z.object({ hashes: z.array(hashSchema).length(BUCKETS) })),
  /** Keys and versions of those buckets. */
  digest: stream(
    z.object({
      set: setNameSchema,
      buckets: z
        .array(
          z
            .int()
            .nonnegative()
            .max(BUCKETS - 1),
        )
        .max(BUCKETS),
    }),
    z.array(z.tuple([keySchema, versionSchema])).max(DIGEST_PAGE),
  ),
  /** The entries of these keys, as far as they are there. */
  fetch: stream(z.object({ set: setNameSchema, keys: z.array(keySchema).max(FETCH_KEYS) }), entrySchema),
  push: unary(z.object({ set: setNameSchema, entries: z.array(entrySchema).max(PUSH_ENTRIES) }), z.object({})),
})
