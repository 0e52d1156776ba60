import { AppError } from '@qmtcode/protocol'

export interface ModelId {
  provider: string
  /** All after the provider's `/`. */
  model: string
}

/** Throws bad_request for what is not `provider/model`. */
export function parseModelId(id: string): ModelId {
  const slash = id.indexOf('/')
  if (slash < 1 || slash === id.length - 1) {
    throw new AppError('bad_request', `"${id}" is not a model`, { hint: 'write provider/model, for example ollama/qwen3:8b' })
  }
  return { provider: id.slice(0, slash), model: id.slice(slash + 1) }
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
