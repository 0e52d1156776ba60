import { z } from 'zod'
import { LIMITS } from './limits.ts'

/** What a node may be called: it stands before `:` in `node:provider/model`, and on terminals. */
export const nodeNameSchema = z
  .string()
  .max(LIMITS.nodeNameChars)
  .regex(/^[A-Za-z0-9][\w.-]*$/, 'letters, digits, ".", "_", "-", beginning with a letter or digit')
