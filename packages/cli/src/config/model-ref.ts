/** `provider/model`, on a node `node:provider/model`. */
export interface ModelRef {
  node?: string
  provider: string
  /** All after the provider's `/`. */
  model: string
}

/** The node is what precedes the first `:` if no `/` comes before it: `ollama/qwen3:8b` names none. Undefined for what is no such form. */
export function parseModelRef(text: string): ModelRef | undefined {
  const match = /^(?:([^:/\s]+):)?([\w.-]{1,60})\/(\S(?:.*\S)?)$/.exec(text)
  if (!match) return undefined
  const [, node, provider = '', model = ''] = match
  return node === undefined ? { provider, model } : { node, provider, model }
}

/** What `provider` and `model` of an agent's table mean together. With `provider`, `model` is taken to the letter. */
export function modelRefOf(table: { provider?: string; model?: string }): ModelRef | undefined {
  const { provider, model } = table
  if (model === undefined) return undefined
  return provider === undefined ? parseModelRef(model) : { provider, model }
}
