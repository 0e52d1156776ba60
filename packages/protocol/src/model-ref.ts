import { z } from 'zod'
import { oneLine } from './stated.ts'

const PROVIDER = String.raw`[\w.-]{1,60}`
const MODEL = String.raw`\S(?:.{0,198}\S)?`
const REF = new RegExp(`^(?:([^:/\\s]+):)?(${PROVIDER})/(${MODEL})$`)

/** `provider/model`; the model is all after the provider's `/`. */
export const modelIdSchema = z
  .string()
  .regex(new RegExp(`^${PROVIDER}/${MODEL}$`), 'not provider/model')
  .refine((id) => oneLine(id) === id, 'not a model: it has characters that nobody sees')

/** A model as a person writes it: `provider/model`, or on a node `node:provider/model`. */
export interface ModelRef {
  node?: string
  provider: string
  model: string
}

/** The node is what precedes the first `:` if no `/` comes before it: `ollama/qwen3:8b` names none. Undefined for what is no such form. */
export function parseModelRef(text: string): ModelRef | undefined {
  const match = REF.exec(text)
  if (!match) return undefined
  const [, node, provider = '', model = ''] = match
  return node === undefined ? { provider, model } : { node, provider, model }
}
