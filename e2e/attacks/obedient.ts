import type { startScriptedLlm } from '@qmtcode/testing'

type Handler = Extract<Parameters<typeof startScriptedLlm>[0], (...args: never[]) => unknown>

export interface ToolCall {
  tool: string
  input: Record<string, unknown>
}

/** A prompt that `obedient` follows: its calls, one a step. */
export const order = (...calls: ToolCall[]): string => `do ${JSON.stringify(calls)}`

/** A model that does whatever its last prompt orders, as one does that was talked into it, and says at the end what the tools gave. */
export const obedient: Handler = (body) => {
  const messages = body.messages ?? []
  const at = messages.findLastIndex(({ role, content }) => role === 'user' && textOf(content).includes('do ['))
  if (at === -1) return 'nothing to do'
  const calls = JSON.parse(/do (\[.*\])/s.exec(textOf(messages[at]?.content))?.[1] ?? '[]') as ToolCall[]
  const results = messages.slice(at + 1).filter(({ role }) => role === 'tool')
  const next = calls[results.length]
  return next ? [next] : `done: ${results.map(({ content }) => textOf(content)).join('\n')}`
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return Array.isArray(content) ? content.map((part: { text?: string }) => part.text ?? '').join('\n') : ''
}
