import { AppError, parseModelRef } from '@qmtcode/protocol'
import type { ModelRef } from '@qmtcode/protocol'

/** A model as a person wrote it. Throws bad_request for what is none. */
export function requireModelRef(written: string): ModelRef {
  const ref = parseModelRef(written)
  if (ref) return ref
  throw new AppError('bad_request', `"${written}" is not a model`, { hint: 'write provider/model, for example ollama/qwen3:8b' })
}

/** A model of this node. Throws bad_request for what is not `provider/model`. */
export function parseModelId(id: string): { provider: string; model: string } {
  const { node, provider, model } = requireModelRef(id)
  if (node !== undefined) throw new AppError('bad_request', `"${id}" names a node`, { hint: `here it is ${provider}/${model}` })
  return { provider, model }
}

/** Whether `pattern`, where `*` stands for any text, takes the whole of `text`. */
export function matchesPattern(pattern: string, text: string): boolean {
  const pieces = pattern.split('*')
  const [first = '', ...rest] = pieces
  const last = rest.pop()
  if (last === undefined) return pattern === text
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false
  const end = text.length - last.length
  let at = first.length
  for (const piece of rest) {
    const found = text.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}
