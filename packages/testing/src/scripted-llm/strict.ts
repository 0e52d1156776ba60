import type { ChatBody } from './script.ts'

/** What is wrong with a request, in the eyes of the strictest servers: vLLM with the chat templates of Mistral, Gemma and older Llamas, OpenAI, Anthropic. */
export function complaintOf(path: string, body: ChatBody): string | undefined {
  const complaint = textComplaint(body)
  if (complaint !== undefined) return complaint
  return path.endsWith('/messages') ? anthropicComplaint(body) : openaiComplaint(body)
}

// oxlint-disable-next-line no-control-regex -- these are what it is about
const CONTROLS = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/

function textComplaint(value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) return 'surrogates not allowed'
    return CONTROLS.test(value) ? `control characters are not allowed: ${JSON.stringify(value.slice(0, 60))}` : undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const complaint = textComplaint(key) ?? textComplaint(inner)
    if (complaint !== undefined) return complaint
  }
  return undefined
}

interface ChatMessage {
  role: string
  content?: unknown
  tool_call_id?: string
  tool_calls?: { id: string; function: { name: string; arguments: string } }[]
}

function openaiComplaint({ messages = [] }: ChatBody): string | undefined {
  const list = messages as ChatMessage[]
  for (const [index, message] of list.entries()) {
    const complaint = messageComplaint(list, index, message)
    if (complaint !== undefined) return `messages[${index}]: ${complaint}`
  }
  if (list.at(-1)?.role === 'assistant') return 'the last message must not be from the assistant'
  return alternationComplaint(list)
}

function messageComplaint(list: readonly ChatMessage[], index: number, message: ChatMessage): string | undefined {
  if (message.role === 'system' && index > 0) return 'a system message must be the first'
  const calls = message.tool_calls ?? []
  if (isEmpty(message.content) && calls.length === 0) return `an empty message of ${message.role}`
  if (message.role === 'tool' && !belongs(list, index, message.tool_call_id)) return 'a tool message without its call before it'
  const answered = resultsBehind(list, index).map(({ tool_call_id: id }) => id)
  for (const { id, function: of } of calls) {
    if (answered.filter((one) => one === id).length !== 1) return `the call ${id} has not exactly one result right behind it`
    if (!/^[A-Za-z0-9_-]{1,40}$/.test(id)) return `a bad call id ${id}`
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(of.name)) return `a bad function name ${of.name}`
    if (!isObjectText(of.arguments)) return `arguments that are not an object: ${of.arguments}`
  }
  return undefined
}

function resultsBehind(list: readonly ChatMessage[], index: number): readonly ChatMessage[] {
  const following = list.slice(index + 1)
  const end = following.findIndex(({ role }) => role !== 'tool')
  return end === -1 ? following : following.slice(0, end)
}

function belongs(list: readonly ChatMessage[], index: number, id: string | undefined): boolean {
  const caller = list.slice(0, index).findLast(({ role }) => role !== 'tool')
  return caller?.tool_calls?.some((call) => call.id === id) === true
}

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

function isEmpty(content: unknown): boolean {
  if (typeof content === 'string') return content.trim() === ''
  if (!Array.isArray(content)) return true
  return (
    content.length === 0 ||
    content.some((part: { type?: string; text?: string }) => part.type === 'text' && (part.text ?? '').trim() === '')
  )
}

/** As Mistral's template counts: calls and their results are beside the conversation. */
function alternationComplaint(list: readonly ChatMessage[]): string | undefined {
  const spoken = list.filter(({ role, tool_calls: calls = [] }) => role === 'user' || (role === 'assistant' && calls.length === 0))
  const wrong = spoken.findIndex(({ role }, index) => (role === 'user') !== (index % 2 === 0))
  return wrong === -1 ? undefined : 'conversation roles must alternate user/assistant/user/assistant'
}

interface Block {
  type: string
  id?: string
  tool_use_id?: string
  text?: string
  input?: unknown
}

function anthropicComplaint({ messages = [] }: ChatBody): string | undefined {
  const list = messages.map(({ role, content }) => ({ role, blocks: blocksOf(content) }))
  for (const [index, { role, blocks }] of list.entries()) {
    if ((role === 'user') !== (index % 2 === 0)) return `messages.${index}: roles must alternate`
    if (blocks.length === 0) return `messages.${index}: content must not be empty`
    if (blocks.some(({ type, text }) => type === 'text' && (text ?? '').trim() === ''))
      return `messages.${index}: text content blocks must be non-empty`
    const uses = blocks.filter(({ type }) => type === 'tool_use')
    const results = (list[index + 1]?.blocks ?? []).filter(({ type }) => type === 'tool_result').map(({ tool_use_id: id }) => id)
    const bad = uses.find(
      ({ id, input }) => results.filter((one) => one === id).length !== 1 || typeof input !== 'object' || Array.isArray(input),
    )
    if (bad) return `messages.${index}: the tool_use ${bad.id ?? ''} has no tool_result or no object as input`
  }
  return list.at(-1)?.role === 'assistant' ? 'the last message must be from the user' : undefined
}

const blocksOf = (content: unknown): Block[] => (typeof content === 'string' ? [{ type: 'text', text: content }] : (content as Block[]))
