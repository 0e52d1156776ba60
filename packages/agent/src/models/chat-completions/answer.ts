import type { LanguageModelV4FinishReason, LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider'
import { createCallAssembly } from './calls.ts'
import type { Chunk, ChunkUsage } from './chunk.ts'
import { createThoughtSplitter } from './thoughts.ts'
import type { Piece } from './thoughts.ts'

type Part = LanguageModelV4StreamPart

/** One answer, from its chunks to the parts of the AI SDK's stream. */
export interface Answer {
  /** Whether anything of it came. */
  readonly isBegun: boolean
  /** Whether the server said how it ended. */
  readonly isFinished: boolean
  add(chunk: Chunk): Part[]
  end(): Part[]
}

/** `model` is `provider/model`: thoughts are marked with it, since they go back to their model alone. */
export function createAnswer(model: string): Answer {
  const calls = createCallAssembly()
  const thoughts = createThoughtSplitter()
  let open: Piece['kind'] | undefined
  let blocks = 0
  let finish: string | undefined
  let usage: ChunkUsage | undefined
  let isBegun = false
  let hasMetadata = false

  const close = (): Part[] => {
    if (open === undefined) return []
    const part: Part = { type: `${open}-end`, id: String(blocks) }
    open = undefined
    return [part]
  }
  const piece = ({ kind, text }: Piece): Part[] => {
    if (text === '') return []
    const before: Part[] = []
    if (open !== kind) {
      before.push(...close())
      blocks += 1
      open = kind
      before.push({
        type: `${kind}-start`,
        id: String(blocks),
        providerMetadata: kind === 'reasoning' ? { openaiCompatible: { model } } : undefined,
      })
    }
    return [...before, { type: `${kind}-delta`, id: String(blocks), delta: text }]
  }
  const metadata = ({ id, model }: Chunk): Part[] => {
    if (hasMetadata || (id === undefined && model === undefined)) return []
    hasMetadata = true
    return [{ type: 'response-metadata', id, modelId: model }]
  }
  return {
    get isBegun() {
      return isBegun
    },
    get isFinished() {
      return finish !== undefined
    },
    add(chunk) {
      isBegun = true
      usage = chunk.usage ?? usage
      finish = chunk.finish ?? finish
      const parts = [...metadata(chunk), ...piece({ kind: 'reasoning', text: chunk.reasoning })]
      if (chunk.text !== '') parts.push(...thoughts.add(chunk.text).flatMap(piece))
      if (chunk.calls.length > 0) parts.push(...thoughts.end().flatMap(piece), ...close())
      for (const call of chunk.calls) parts.push(...calls.add(call))
      return parts
    },
    end: () => [
      ...thoughts.end().flatMap(piece),
      ...close(),
      ...calls.end(),
      { type: 'finish', finishReason: finishReason(finish, calls.size > 0), usage: usageOf(usage) },
    ],
  }
}

type Unified = LanguageModelV4FinishReason['unified']

/** Words that servers end an answer with: OpenAI's, and those of vLLM, llama-server, Mistral, DeepSeek, Zhipu and gateways to Google and Anthropic. */
const WORDS: Readonly<Partial<Record<Unified, readonly string[]>>> = {
  stop: ['stop', 'eos', 'eos_token', 'end_turn', 'stop_sequence', 'done', 'completed', 'normal'],
  length: ['length', 'max_tokens', 'max_length', 'model_length', 'max_output_tokens', 'model_context_window_exceeded'],
  'content-filter': ['content_filter', 'safety', 'recitation', 'sensitive', 'blocklist', 'prohibited_content', 'spii', 'refusal'],
  'tool-calls': ['tool_calls', 'tool_call', 'function_call', 'tool_use'],
  error: [
    'error',
    'abort',
    'aborted',
    'cancelled',
    'canceled',
    'timeout',
    'insufficient_system_resource',
    'network_error',
    'malformed_function_call',
  ],
}

const FINISH = new Map(
  Object.entries(WORDS).flatMap(([unified, words]) => words.map((word): [string, Unified] => [word, unified as Unified])),
)

/** Some servers end a call with `stop`: whoever called a tool waits for its result. */
function finishReason(raw: string | undefined, hasCalls: boolean): LanguageModelV4FinishReason {
  const unified = raw === undefined ? 'stop' : (FINISH.get(raw.toLowerCase()) ?? 'other')
  return { unified: hasCalls && unified === 'stop' ? 'tool-calls' : unified, raw }
}

function usageOf(usage: ChunkUsage = {}): LanguageModelV4Usage {
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = usage
  return {
    inputTokens: { total: promptTokens, noCache: minus(promptTokens, cachedTokens), cacheRead: cachedTokens, cacheWrite: undefined },
    outputTokens: { total: completionTokens, text: minus(completionTokens, reasoningTokens), reasoning: reasoningTokens },
  }
}

const minus = (total: number | undefined, part = 0): number | undefined => (total === undefined ? undefined : Math.max(0, total - part))
