import { z } from 'zod'
import { MAX_MESSAGE_CHARS } from './errors.ts'
import type { ErrorDetails, WireError } from './errors.ts'
import { statedCount, statedMs, statedName, statedText } from './stated.ts'

/** Apart from the errors themselves, so that a thread which only throws them loads no schemas. */
export const errorDetailsSchema: z.ZodType<ErrorDetails> = z.object({
  status: statedCount().optional(),
  providerCode: statedName().optional(),
  retryAfterMs: statedMs().optional(),
})

export const wireErrorSchema: z.ZodType<WireError> = z.object({
  code: statedName(40),
  message: statedText(MAX_MESSAGE_CHARS + 1),
  hint: statedText(MAX_MESSAGE_CHARS + 1).optional(),
  details: errorDetailsSchema.optional(),
})
