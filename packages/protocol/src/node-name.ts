import { z } from 'zod'
import { LIMITS } from './limits.ts'

/** What a node may be called: it stands before `:` in `node:provider/model`, and on terminals. What looks like a peer id is none: ids are proven, names are claimed. */
export const nodeNameSchema = z
  .string()
  .max(LIMITS.nodeNameChars)
  .regex(/^[A-Za-z0-9][\w.-]*$/, 'letters, digits, ".", "_", "-", beginning with a letter or digit')
  .regex(/^(?!12D3KooW|Qm[1-9A-HJ-NP-Za-km-z]{44}$)/, 'no peer id')
