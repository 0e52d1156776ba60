import { LIMITS } from '@qmtcode/protocol'
import { z } from 'zod'

/** A node's name: it stands before `:` in `node:provider/model`, and on terminals. */
export const nodeNameSchema = z
  .string()
  .max(LIMITS.nodeNameChars)
  .regex(/^[A-Za-z0-9][\w.-]*$/, 'letters, digits, ".", "_", "-", beginning with a letter or digit')
