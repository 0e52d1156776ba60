import type { ScriptedUsage } from './script.ts'

/** How one provider's format writes an answer; everything returned is the text of server-sent events. */
export interface Dialect {
  start(): string
  text(chunk: string): string
  reasoning(chunk: string): string
  tool(call: ToolCall): string
  finish(reason: 'stop' | 'tools', usage: ScriptedUsage): string
  /** The same as one JSON document, for a request without streaming. */
  whole(answer: WholeAnswer): unknown
  error(fault: { status: number; message: string; code?: string }): unknown
}

export interface ToolCall {
  id: string
  name: string
  /** JSON text. */
  input: string
}

interface WholeAnswer {
  text: string
  reasoning: string
  tools: ToolCall[]
  usage: ScriptedUsage
}
