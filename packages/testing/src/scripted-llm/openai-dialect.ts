import type { Dialect, ToolCall } from './dialect.ts'
import type { ChatBody, ScriptedUsage } from './script.ts'

const ARGUMENT_CHUNK_CHARS = 12

/** OpenAI chat completions, with the `reasoning_content` of llama-server and vLLM. */
export function openaiDialect(body: ChatBody, id: string): Dialect {
  const head = { id, object: 'chat.completion.chunk', created: 1_700_000_000, model: body.model ?? 'scripted' }
  const event = (value: object) => `data: ${JSON.stringify({ ...head, ...value })}\n\n`
  const delta = (value: object) => event({ choices: [{ index: 0, delta: value, finish_reason: null }] })
  let tools = 0
  return {
    start: () => delta({ role: 'assistant', content: '' }),
    text: (chunk) => delta({ content: chunk }),
    reasoning: (chunk) => delta({ reasoning_content: chunk }),
    tool: (call) => {
      const index = tools
      tools += 1
      const opening = delta({ tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }] })
      const rest = pieces(call.input).map((piece) => delta({ tool_calls: [{ index, function: { arguments: piece } }] }))
      return [opening, ...rest].join('')
    },
    finish: (reason, usage) => {
      const end = event({ choices: [{ index: 0, delta: {}, finish_reason: reason === 'tools' ? 'tool_calls' : 'stop' }] })
      const counts = body.stream_options?.include_usage ? event({ choices: [], usage: usageOf(usage) }) : ''
      return `${end}${counts}data: [DONE]\n\n`
    },
    whole: ({ text, reasoning, tools, usage }) => ({
      ...head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: text || null,
            ...(reasoning && { reasoning_content: reasoning }),
            ...(tools.length > 0 && { tool_calls: tools.map(wholeCall) }),
          },
          finish_reason: tools.length > 0 ? 'tool_calls' : 'stop',
        },
      ],
      usage: usageOf(usage),
    }),
    error: ({ message, code }) => ({ error: { message, type: 'scripted_error', param: null, code: code ?? null } }),
  }
}

const wholeCall = (call: ToolCall) => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.input } })

function usageOf({ input, output, cached, reasoning }: ScriptedUsage) {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    ...(cached !== undefined && { prompt_tokens_details: { cached_tokens: cached } }),
    ...(reasoning !== undefined && { completion_tokens_details: { reasoning_tokens: reasoning } }),
  }
}

function pieces(text: string): string[] {
  const list: string[] = []
  for (let at = 0; at < text.length; at += ARGUMENT_CHUNK_CHARS) list.push(text.slice(at, at + ARGUMENT_CHUNK_CHARS))
  return list
}
