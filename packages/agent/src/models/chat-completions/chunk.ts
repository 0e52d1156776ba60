/** One event of the stream, read with tolerance: what real servers send in place of what the format says. */
export interface Chunk {
  text: string
  reasoning: string
  calls: CallPiece[]
  finish?: string
  usage?: ChunkUsage
  id?: string
  model?: string
}

export interface CallPiece {
  /** Which call of the answer the piece is of; where a server gives none, its id decides, else the last call. */
  index?: number
  id?: string
  name?: string
  /** A piece of the JSON text of the arguments. */
  input?: string
  signature?: string
}

export interface ChunkUsage {
  promptTokens?: number
  cachedTokens?: number
  completionTokens?: number
  reasoningTokens?: number
}

/** An error that the server put where a part of the answer belongs. */
export interface ChunkError {
  error: unknown
}

type Fields = Readonly<Record<string, unknown>>

/** Reads a `data:` line's JSON, or a whole `chat.completion`. Undefined: nothing of the answer is in it. */
export function readChunk(value: unknown): Chunk | ChunkError | undefined {
  if (!isFields(value)) return undefined
  const error = errorIn(value)
  if (error !== undefined) return { error }
  const choice = firstChoice(value['choices'])
  const chunk: Chunk = {
    text: '',
    reasoning: '',
    calls: [],
    usage: usageOf(value['usage']),
    id: text(value['id']),
    model: text(value['model']),
  }
  if (!choice) return chunk
  const delta = isFields(choice['delta']) ? choice['delta'] : choice['message']
  if (isFields(delta)) readDelta(chunk, delta)
  if (typeof choice['text'] === 'string') chunk.text += choice['text']
  const finish = choice['finish_reason']
  if (typeof finish === 'string' && finish !== '') chunk.finish = finish
  return chunk
}

function readDelta(chunk: Chunk, delta: Fields): void {
  chunk.text += contentText(delta['content'])
  if (chunk.text === '') chunk.text += contentText(delta['text']) || contentText(delta['refusal'])
  chunk.reasoning = contentText(delta['reasoning_content']) || contentText(delta['reasoning']) || contentText(delta['thinking'])
  const calls = Array.isArray(delta['tool_calls']) ? delta['tool_calls'] : [delta['tool_calls']]
  for (const call of calls) if (isFields(call)) chunk.calls.push(callPiece(call))
  if (isFields(delta['function_call'])) chunk.calls.push(callPiece({ index: 0, function: delta['function_call'] }))
}

function callPiece(call: Fields): CallPiece {
  const of = isFields(call['function']) ? call['function'] : call
  const index = Number(call['index'] ?? Number.NaN)
  const extra = isFields(call['extra_content']) && isFields(call['extra_content']['google']) ? call['extra_content']['google'] : {}
  return {
    index: Number.isInteger(index) && index >= 0 ? index : undefined,
    id: text(call['id']),
    name: text(of['name']),
    input: inputText(of['arguments'] ?? of['parameters']),
    signature: text(extra['thought_signature']),
  }
}

/** Arguments as an object, where the format wants its text. */
function inputText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return isFields(value) || Array.isArray(value) ? JSON.stringify(value) : undefined
}

/** A string, or parts of which those with text count. */
function contentText(content: unknown): string {
  if (typeof content === 'string') return content
  if (isFields(content)) return contentText(content['text'])
  if (!Array.isArray(content)) return ''
  return content.map((part) => contentText(part)).join('')
}

/** `error` with something in it; `detail` of FastAPI; vLLM's object "error". A null or empty `error` in a good chunk says nothing. */
function errorIn(value: Fields): unknown {
  const { error, detail, message } = value
  if (isFields(error) || (typeof error === 'string' && error !== '')) return error
  const hasAnswer = Array.isArray(value['choices'])
  if (hasAnswer) return undefined
  if (value['object'] === 'error' && typeof message === 'string') return { message, code: value['code'] ?? value['type'] }
  if (typeof detail === 'string') return { message: detail }
  if (Array.isArray(detail)) return { message: JSON.stringify(detail) }
  return undefined
}

function firstChoice(choices: unknown): Fields | undefined {
  const first: unknown = Array.isArray(choices) ? choices[0] : choices
  return isFields(first) ? first : undefined
}

function usageOf(usage: unknown): ChunkUsage | undefined {
  if (!isFields(usage)) return undefined
  const [prompt, completion] = [usage['prompt_tokens_details'], usage['completion_tokens_details']]
  return {
    promptTokens: count(usage['prompt_tokens'] ?? usage['input_tokens']),
    cachedTokens: count(isFields(prompt) ? prompt['cached_tokens'] : usage['prompt_cache_hit_tokens']),
    completionTokens: count(usage['completion_tokens'] ?? usage['output_tokens']),
    reasoningTokens: count(isFields(completion) ? completion['reasoning_tokens'] : undefined),
  }
}

function count(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined
}

function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
