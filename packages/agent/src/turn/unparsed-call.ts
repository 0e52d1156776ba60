/**
 * The name of the tool that an answer calls in plain text, since the model's server did not parse its call. Only where the call is the answer's last
 * word, outside of code: an answer that explains how calls are written is one.
 */
export function unparsedCall(answer: string, tools: readonly string[]): string | undefined {
  const text = answer.trim()
  const name = jsonCall(unfenced(text)) ?? taggedCall(text)
  return name !== undefined && tools.includes(name) ? name : undefined
}

/** A message that is nothing but a fenced block is its content. */
const unfenced = (text: string): string => /^```[\w-]*\n([\s\S]*?)\n?```$/.exec(text)?.[1]?.trim() ?? text

/** `{"name": "list_files", "arguments": {}}`, alone or in a list. */
function jsonCall(text: string): string | undefined {
  if (!/^[[{]/.test(text)) return undefined
  const value = parsed(text)
  const [first] = Array.isArray(value) ? (value as unknown[]) : [value]
  return nameIn(first)
}

function nameIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const call = value as Record<string, unknown>
  if (typeof call['function'] === 'object') return nameIn(call['function'])
  const { name = call['tool'] ?? call['function'] } = call
  const hasInput = ['arguments', 'parameters', 'input', 'args'].some((key) => key in call)
  return typeof name === 'string' && hasInput ? name : undefined
}

/** Openings of models' own forms, at the beginning of a line; what follows runs to the end of the answer. */
const OPENINGS = [
  '<tool_call>',
  '<tool_calls>',
  '<function_call>',
  '<function_calls>',
  '<function=',
  '<invoke ',
  '<tool_use>',
  '<|tool_call|>',
  '<|tool_call_begin|>',
  '<|tool_calls_section_begin|>',
  '<｜tool▁calls▁begin｜>',
  '<|python_tag|>',
  '<|channel|>commentary',
  '[TOOL_CALLS]',
  '[TOOL_REQUEST]',
  'functools[',
]

function taggedCall(text: string): string | undefined {
  const starts = OPENINGS.map((opening) => lineStart(text, opening)).filter((at) => at !== -1)
  if (starts.length === 0) return undefined
  const at = Math.min(...starts)
  // In a fence it is shown to be read.
  const isFenced = (text.slice(0, at).match(/^```/gm)?.length ?? 0) % 2 === 1
  const call = text.slice(at)
  if (isFenced || !ENDS_CALL.test(call)) return undefined
  return NAMES.map((pattern) => pattern.exec(call)?.[1]).find((name) => name !== undefined)
}

function lineStart(text: string, opening: string): number {
  if (text.startsWith(opening)) return 0
  const at = text.indexOf(`\n${opening}`)
  return at === -1 ? -1 : at + 1
}

/** A bracket or a closing tag: prose behind a call says that it was an example. */
const ENDS_CALL = /(?:[}\])]|<\/[\w:]+>|\|>|｜>|\[END_TOOL_REQUEST\])\s*$/

const NAMES = [
  /<function=([\w-]+)/,
  /<invoke name="([\w-]+)"/,
  /to=functions\.([\w-]+)/,
  /functions\.([\w-]+):\d+/,
  /"(?:name|tool)"\s*:\s*"([\w-]+)"/,
  /\[TOOL_CALLS\]\s*([\w-]+)/,
  /<tool_name>\s*([\w-]+)/,
  /<name>\s*([\w-]+)/,
  /<tool_call>\s*([\w-]+)/,
  /function<｜tool▁sep｜>([\w-]+)/,
  /<\|python_tag\|>\s*([\w-]+)/,
]

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
