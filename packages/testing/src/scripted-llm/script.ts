/** What one request is answered with, step by step. A string is one text chunk. */
export type Answer = string | readonly Step[]

export type Step =
  /** An array is sent as separate chunks, `gapMs` apart. */
  | { text: string | readonly string[]; gapMs?: number }
  | { reasoning: string | readonly string[]; gapMs?: number }
  | { tool: string; input: unknown; id?: string }
  | { waitMs: number }
  /** Default: 10 in, 5 out. */
  | { usage: ScriptedUsage }
  | { fault: Fault }

export interface ScriptedUsage {
  input: number
  output: number
  cached?: number
  reasoning?: number
}

/**
 * How a server misbehaves from here on.
 * `html`: a web page with status 200. `garbage`: an event that is no JSON. `half`: a clean end without a finish.
 * `cut`: the connection is destroyed. `hang`: nothing more, for ever.
 */
export type Fault = 'html' | 'garbage' | 'half' | 'cut' | 'hang' | StatusFault
interface StatusFault {
  status: number
  /** Header `retry-after`, as is. */
  retryAfter?: string
  message?: string
  code?: string
}

/**
 * A list answers the requests in their order. A table is keyed by a piece of the last user message, and answers by the number of
 * model steps since that message: so conversations share a server, and a repeated request gets the same answer.
 */
export type Script = readonly Answer[] | { readonly [prompt: string]: readonly Answer[] }
export type Handler = (body: ChatBody, index: number) => Answer | undefined

/** The parts of a request that OpenAI's and Anthropic's format share. */
export interface ChatBody {
  model?: string
  stream?: boolean
  stream_options?: { include_usage?: boolean }
  messages?: { role: string; content?: unknown; tool_call_id?: string }[]
  tools?: unknown[]
  [key: string]: unknown
}

/** A handler over a script; undefined where the script has no answer. */
export function handlerOf(script: Script | Handler): Handler {
  if (typeof script === 'function') return script
  if (Array.isArray(script)) return (_body, index) => (script as readonly Answer[])[index]
  const table = script as Record<string, readonly Answer[]>
  return (body) => {
    const messages = body.messages ?? []
    const asked = messages.findLastIndex((message) => message.role === 'user' && textOf(message.content) !== '')
    const prompt = textOf(messages[asked]?.content)
    const key = Object.keys(table).find((piece) => prompt.includes(piece))
    const steps = messages.slice(asked + 1).filter((message) => message.role === 'assistant').length
    return key === undefined ? undefined : table[key]?.[steps]
  }
}

/** The text of a message, whichever way it is written; a tool result is none. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part: { type?: string; text?: string }) => (part.type === 'text' ? (part.text ?? '') : '')).join('')
}

export const stepsOf = (answer: Answer): readonly Step[] => (typeof answer === 'string' ? [{ text: answer }] : answer)
