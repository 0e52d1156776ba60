import { ReadableStream as NodeStream } from 'node:stream/web'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4StreamPart,
  LanguageModelV4ToolCall,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import { BUILTIN_PROVIDER } from '../providers/known-providers.ts'
import { parseRequest } from './request.ts'
import { callOf, situationOf } from './steps.ts'
import { announce, summarise } from './words.ts'

export interface DemoOptions {
  /** Pause between words, so that streaming can be seen. Default: 8. */
  wordDelayMs?: number
}

/**
 * A model by rules: it splits a plain request into tool calls, makes one a step, and tells what they gave.
 * The same prompt gives the same answer; it keeps nothing between calls.
 */
export function createDemoModel({ wordDelayMs = 8 }: DemoOptions = {}): LanguageModelV4 {
  async function* parts(options: LanguageModelV4CallOptions): AsyncGenerator<LanguageModelV4StreamPart> {
    const { text, call } = answer(options)
    yield { type: 'stream-start', warnings: [] }
    yield { type: 'text-start', id: 'text' }
    for (const [at, word] of (text.match(/\s*\S+/g) ?? []).entries()) {
      if (at > 0 && wordDelayMs > 0) await sleep(wordDelayMs, undefined, { signal: options.abortSignal })
      options.abortSignal?.throwIfAborted()
      yield { type: 'text-delta', id: 'text', delta: word }
    }
    yield { type: 'text-end', id: 'text' }
    if (call) {
      yield { type: 'tool-input-start', id: call.toolCallId, toolName: call.toolName }
      yield { type: 'tool-input-delta', id: call.toolCallId, delta: call.input }
      yield { type: 'tool-input-end', id: call.toolCallId }
      yield call
    }
    yield { type: 'finish', usage: usageOf(options, text), finishReason: finishReason(call) }
  }
  return {
    specificationVersion: 'v4',
    provider: BUILTIN_PROVIDER,
    modelId: 'demo',
    supportedUrls: {},
    doStream: (options) => Promise.resolve({ stream: NodeStream.from(parts(options)) as ReadableStream<LanguageModelV4StreamPart> }),
    doGenerate(options) {
      const { text, call } = answer(options)
      const content: LanguageModelV4Content[] = [{ type: 'text', text }, ...(call ? [call] : [])]
      return Promise.resolve({ content, usage: usageOf(options, text), finishReason: finishReason(call), warnings: [] })
    },
  }
}

interface DemoAnswer {
  text: string
  call?: LanguageModelV4ToolCall
}

function answer(options: LanguageModelV4CallOptions): DemoAnswer {
  const { asked, outcomes, calls, offered } = situationOf(options)
  const request = parseRequest(asked)
  const possible = request.actions.filter((action) => offered.has(callOf(action).tool))
  const next = possible[outcomes.length]
  if (next) {
    const { tool, input } = callOf(next)
    return {
      text: announce(next, { at: outcomes.length, of: possible.length }),
      call: { type: 'tool-call', toolCallId: `demo_${calls + 1}`, toolName: tool, input: JSON.stringify(input) },
    }
  }
  const done = possible.flatMap((action, at) => (outcomes[at] ? [{ action, outcome: outcomes[at] }] : []))
  const missing = request.actions.filter((action) => !possible.includes(action)).map((action) => ({ action, tool: callOf(action).tool }))
  return { text: summarise({ done, missing, unknown: request.unknown }) }
}

const finishReason = (call: LanguageModelV4ToolCall | undefined) =>
  call ? { unified: 'tool-calls' as const, raw: 'tool-calls' } : { unified: 'stop' as const, raw: 'stop' }

/** Words, for want of tokens. */
function usageOf({ prompt }: LanguageModelV4CallOptions, text: string): LanguageModelV4Usage {
  const words = (value: string) => value.match(/\S+/g)?.length ?? 0
  const input = prompt.reduce((sum, { content }) => sum + words(typeof content === 'string' ? content : content.map(plain).join(' ')), 0)
  const output = words(text)
  return {
    inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: output, text: output, reasoning: undefined },
  }
}

const plain = (part: { type: string; text?: unknown }): string => (typeof part.text === 'string' ? part.text : '')
