import type {
  AgentContext,
  CreateElicitationRequest,
  ElicitationPropertySchema,
  PermissionOption,
  RequestPermissionRequest,
} from '@agentclientprotocol/sdk'
import type { PermissionAnswer, QuestionReply, SessionAnswer, SessionEvent, SessionId } from '@qmtcode/protocol'
import { askedCallOf, oneLine, textContent, toolCallIdOf } from './tool-calls.ts'
import type { ToolView } from './tool-calls.ts'

type Asked = Extract<SessionEvent, { type: 'question.asked' }>
export type Question = Extract<SessionEvent, { type: 'permission.requested' }> | Asked

/** What the person said; undefined: they closed the dialogue. */
export type Shown = SessionAnswer['answer'] | undefined

/** Puts one question to the editor's person; rejects when `signal` aborts, or when the editor cannot show it. */
export type Show = (question: Question, signal: AbortSignal) => Promise<Shown>

export interface DialoguesComponents {
  sessionId: SessionId
  client: AgentContext
  view: ToolView
  /** The editor shows forms. */
  takesForms: boolean
  /** Whether the editor's own prompt caused the question. */
  isOurs(): boolean
}

const PERMISSIONS: (PermissionOption & { optionId: PermissionAnswer })[] = [
  { optionId: 'allow', name: 'Allow once', kind: 'allow_once' },
  { optionId: 'allow_session', name: 'Allow in this session', kind: 'allow_always' },
  { optionId: 'deny', name: 'Reject', kind: 'reject_once' },
]
const SKIP: PermissionOption = { optionId: 'skip', name: 'Leave it to the agent', kind: 'reject_once' }

/** A permission is a permission request. A question is a form; where the editor has none, a permission request with its choices, or a message. */
export function createDialogues({ sessionId, client, view, takesForms, isOurs }: DialoguesComponents): Show {
  const choose = async (request: Omit<RequestPermissionRequest, 'sessionId'>, signal: AbortSignal): Promise<string | undefined> => {
    const waiting = { cancellationSignal: signal, stopWaitingOnCancel: true }
    const { outcome } = await client.request('session/request_permission', { sessionId, ...request }, waiting)
    return outcome.outcome === 'selected' ? outcome.optionId : undefined
  }
  const askPermission = async (question: Exclude<Question, Asked>, signal: AbortSignal): Promise<Shown> => {
    const chosen = await choose(
      {
        toolCall: askedCallOf(question, { ...view, isOurs: isOurs() }),
        options: question.reserved ? PERMISSIONS.filter(({ optionId }) => optionId !== 'allow_session') : PERMISSIONS,
      },
      signal,
    )
    return PERMISSIONS.find(({ optionId }) => optionId === chosen)?.optionId
  }
  const askForm = async (question: Asked, signal: AbortSignal): Promise<Shown> => {
    const waiting = { cancellationSignal: signal, stopWaitingOnCancel: true }
    const response = await client.request('elicitation/create', formOf(question), waiting)
    if (response.action === 'decline') return 'deny'
    return response.action === 'accept' ? replyOf(question, contentOf(response)) : undefined
  }
  const askChoice = async (question: Asked, signal: AbortSignal): Promise<Shown> => {
    const options = question.choices.map(({ label }, at): PermissionOption => ({
      optionId: `choice-${at}`,
      name: oneLine(label),
      kind: 'allow_once',
    }))
    const toolCallId = toolCallIdOf(question)
    const toolCall = { toolCallId, title: oneLine(question.text), status: 'pending' as const, content: [textContent(wordsOf(question))] }
    const chosen = await choose({ toolCall, options: [...options, SKIP] }, signal)
    if (chosen === SKIP.optionId) return 'deny'
    const label = question.choices[options.findIndex(({ optionId }) => optionId === chosen)]?.label
    return label === undefined ? undefined : { choices: [label] }
  }
  /** Its answer comes from elsewhere: a prompt typed meanwhile is a prompt. */
  const tell = async (question: Asked, signal: AbortSignal): Promise<Shown> => {
    const text = `${question.text}\n\nThis editor has no field for the answer; in a terminal: \`qmtcode attach ${sessionId}\`. What you write here is a new prompt, and waits until then; to go on without an answer, cancel.`
    await client.notify('session/update', { sessionId, update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } } })
    return await aborted(signal)
  }
  return async (question, signal) => {
    if (question.type === 'permission.requested') return await askPermission(question, signal)
    if (takesForms) return await askForm(question, signal)
    return await (question.choices.length > 0 ? askChoice : tell)(question, signal)
  }
}

function formOf({ sessionId, turnId, callId, text, choices, multiple, freeText }: Asked): CreateElicitationRequest {
  const options = choices.map(({ label, description }) => ({
    const: label,
    title: description === undefined ? label : `${label} — ${description}`,
  }))
  const choice: ElicitationPropertySchema = multiple
    ? { type: 'array', title: 'Choices', items: { anyOf: options } }
    : { type: 'string', title: 'Choice', oneOf: options }
  const words: ElicitationPropertySchema = { type: 'string', title: choices.length > 0 ? 'In your own words' : 'Answer' }
  const properties: Record<string, ElicitationPropertySchema> = { ...(choices.length > 0 && { choice }), ...(freeText && { text: words }) }
  const [only, second] = Object.keys(properties)
  const required = only !== undefined && second === undefined ? [only] : []
  return {
    mode: 'form',
    sessionId,
    toolCallId: toolCallIdOf({ turnId, callId }),
    message: text,
    requestedSchema: { type: 'object', properties, required },
  }
}

function contentOf(response: object): Record<string, unknown> {
  const content: unknown = 'content' in response ? response.content : undefined
  return typeof content === 'object' && content !== null ? { ...content } : {}
}

/** Of what a form gave; nothing where it was left empty. */
function replyOf({ freeText }: Asked, { choice, text }: Record<string, unknown>): QuestionReply | undefined {
  const choices = (Array.isArray(choice) ? choice : [choice]).filter((one): one is string => typeof one === 'string' && one !== '')
  const words = freeText && typeof text === 'string' && text.trim() !== '' ? text : undefined
  if (choices.length === 0 && words === undefined) return undefined
  return { choices, ...(words !== undefined && { text: words }) }
}

function wordsOf({ text, choices, multiple }: Asked): string {
  const options = choices.map(({ label, description }) => `- ${label}${description === undefined ? '' : ` — ${description}`}`)
  return [text, ...options, ...(multiple ? ['(several may be meant; here one can be chosen)'] : [])].join('\n')
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason as Error)
    if (signal.aborted) fail()
    signal.addEventListener('abort', fail, { once: true })
  })
