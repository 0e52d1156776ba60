import { z } from 'zod'
import { MAX_MESSAGE_CHARS } from './errors.ts'
import type { ErrorDetails, WireError } from './errors.ts'

/** Apart from the errors themselves, so that a thread which only throws them loads no schemas. */
export const errorDetailsSchema: z.ZodType<ErrorDetails> = z.object({
  status: z.int().optional(),
  providerCode: z.string().max(200).optional(),
  retryAfterMs: z.number().nonnegative().optional(),
})

export const wireErrorSchema: z.ZodType<WireError> = z.object({
  code: z.string().max(40),
  message: z.string().max(MAX_MESSAGE_CHARS + 1),
  hint: z
    .string()
    .max(MAX_MESSAGE_CHARS + 1)
    .optional(),
  details: errorDetailsSchema.optional(),
})
