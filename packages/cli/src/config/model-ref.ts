import { parseModelRef } from '@qmtcode/protocol'
import type { ModelRef } from '@qmtcode/protocol'

/** What `provider` and `model` of an agent's table mean together. With `provider`, `model` is taken to the letter. */
export function modelRefOf({ provider, model }: { provider?: string; model?: string }): ModelRef | undefined {
  if (model === undefined) return undefined
  return provider === undefined ? parseModelRef(model) : { provider, model }
}
