import type { LanguageModelV4CallOptions, LanguageModelV4Message, LanguageModelV4ToolResultOutput } from '@ai-sdk/provider'
import type { Json } from '@qmtcode/protocol'
import { CANCELLED, CONTINUE } from '../../turn/prompt.ts'
import type { Action } from './request.ts'

/** A tool call for an action. */
export interface DemoCall {
  tool: string
  input: Record<string, Json>
}

/** The tool that does an action, by the names and inputs of qmtcode's own tools. */
export function callOf(action: Action): DemoCall {
  switch (action.kind) {
    case 'list':
      return { tool: 'list_files', input: { ...(action.path && { path: action.path }) } }
    case 'read':
      return { tool: 'read_file', input: { path: action.path } }
    case 'search':
      return { tool: 'search_text', input: { pattern: action.pattern, literal: true, ...(action.path && { path: action.path }) } }
    case 'run':
      return { tool: 'shell', input: { command: action.command } }
    case 'write':
      return {
        tool: 'write_file',
        input: { path: action.path, content: action.content.endsWith('\n') ? action.content : `${action.content}\n` },
      }
    case 'ask':
      return { tool: 'question', input: { question: action.question, choices: action.choices.map((label) => ({ label })) } }
  }
}

export interface ToolOutcome {
  text: string
  isError: boolean
}

export interface Situation {
  /** The last thing a person said. */
  asked: string
  /** Results of the calls since then, in order. */
  outcomes: ToolOutcome[]
  /** Calls in the whole conversation, so that ids do not repeat. */
  calls: number
  offered: ReadonlySet<string>
}

/** Where a conversation stands: all that the demo remembers is in the prompt. */
export function situationOf({ prompt, tools, toolChoice }: LanguageModelV4CallOptions): Situation {
  const last = prompt.findLastIndex((message) => message.role === 'user' && saidIn(message) !== '')
  const asked = prompt[last]
  const outcomes = prompt
    .slice(last + 1)
    .flatMap((message) => (message.role === 'tool' ? message.content : []))
    .flatMap((part) => (part.type === 'tool-result' ? [outcomeOf(part.output)] : []))
  const calls = prompt
    .flatMap((message) => (message.role === 'assistant' ? message.content : []))
    .filter(({ type }) => type === 'tool-call').length
  const names = toolChoice?.type === 'none' ? [] : (tools ?? []).map(({ name }) => name)
  return { asked: asked ? saidIn(asked) : '', outcomes, calls, offered: new Set(names) }
}

/** Without what qmtcode adds for models: notes of what was cancelled or cut. */
function saidIn(message: LanguageModelV4Message): string {
  if (message.role === 'system') return ''
  const texts = message.content.map((part) => (part.type === 'text' ? part.text : ''))
  return texts
    .filter((text) => text !== CANCELLED && text !== CONTINUE)
    .join('\n')
    .trim()
}

function outcomeOf(output: LanguageModelV4ToolResultOutput): ToolOutcome {
  switch (output.type) {
    case 'text':
      return { text: output.value, isError: false }
    case 'error-text':
      return { text: output.value, isError: true }
    case 'json':
    case 'error-json':
      return { text: JSON.stringify(output.value), isError: output.type === 'error-json' }
    case 'execution-denied':
      return { text: output.reason ?? 'not permitted', isError: true }
    case 'content':
      return { text: output.value.map((part) => (part.type === 'text' ? part.text : '')).join('\n'), isError: false }
  }
}
