import type { Dialect } from './dialect.ts'
import type { ChatBody, ScriptedUsage } from './script.ts'

/** Anthropic messages: content blocks that open and close one after the other. */
export function anthropicDialect(body: ChatBody, id: string): Dialect {
  const message = { id, type: 'message', role: 'assistant', model: body.model ?? 'scripted', stop_sequence: null }
  const event = (value: { type: string; [key: string]: unknown }) => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`
  let index = -1
  let open: 'text' | 'thinking' | undefined

  const close = (): string => {
    if (!open) return ''
    open = undefined
    return event({ type: 'content_block_stop', index })
  }
  const block = (kind: 'text' | 'thinking'): string => {
    if (open === kind) return ''
    const closed = close()
    index += 1
    open = kind
    const empty = kind === 'text' ? { type: kind, text: '' } : { type: kind, thinking: '', signature: '' }
    return closed + event({ type: 'content_block_start', index, content_block: empty })
  }
  const delta = (value: object) => event({ type: 'content_block_delta', index, delta: value })

  return {
    start: () =>
      event({
        type: 'message_start',
        message: { ...message, content: [], stop_reason: null, usage: { input_tokens: 0, output_tokens: 0 } },
      }) + event({ type: 'ping' }),
    text: (chunk) => block('text') + delta({ type: 'text_delta', text: chunk }),
    reasoning: (chunk) => block('thinking') + delta({ type: 'thinking_delta', thinking: chunk }),
    tool: (call) => {
      const closed = close()
      index += 1
      const start = event({
        type: 'content_block_start',
        index,
        content_block: { type: 'tool_use', id: call.id, name: call.name, input: {} },
      })
      const input = delta({ type: 'input_json_delta', partial_json: call.input })
      return closed + start + input + event({ type: 'content_block_stop', index })
    },
    finish: (reason, usage) =>
      close() +
      event({ type: 'message_delta', delta: { stop_reason: stopReason(reason), stop_sequence: null }, usage: usageOf(usage) }) +
      event({ type: 'message_stop' }),
    whole: ({ text, reasoning, tools, usage }) => ({
      ...message,
      content: [
        ...(reasoning ? [{ type: 'thinking', thinking: reasoning, signature: '' }] : []),
        ...(text ? [{ type: 'text', text }] : []),
        ...tools.map((call) => ({ type: 'tool_use', id: call.id, name: call.name, input: JSON.parse(call.input) as unknown })),
      ],
      stop_reason: stopReason(tools.length > 0 ? 'tools' : 'stop'),
      usage: usageOf(usage),
    }),
    error: ({ message, code }) => ({ type: 'error', error: { type: code ?? 'api_error', message } }),
  }
}

const stopReason = (reason: 'stop' | 'tools') => (reason === 'tools' ? 'tool_use' : 'end_turn')

const usageOf = ({ input, output, cached }: ScriptedUsage) => ({
  input_tokens: input,
  output_tokens: output,
  ...(cached !== undefined && { cache_read_input_tokens: cached }),
})
