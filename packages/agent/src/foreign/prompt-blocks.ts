import type { ContentBlock } from '@agentclientprotocol/sdk'
import { AppError } from '@qmtcode/protocol'
import type { DurableEvent, PromptContent } from '@qmtcode/protocol'
import type { TurnContext } from '../turn/types.ts'
import { clipMiddle } from './call-text.ts'

const MAX_RETOLD_CHARS = 60_000
const MAX_RETOLD_EVENT_CHARS = 8_000

export interface PromptFacts {
  agentId: string
  /** The agent's id of the session. */
  foreignId: string
  /** It knows what was said before. */
  isKnown: boolean
  takes: { image: boolean; embeddedContext: boolean }
}

/** What the agent is sent for a turn: the prompt, and before it what the agent lacks. */
export function promptBlocks(turn: Pick<TurnContext, 'events' | 'promptId' | 'turnId'>, facts: PromptFacts): ContentBlock[] {
  const accepted = turn.events.find((event) => event.type === 'prompt.accepted' && event.promptId === turn.promptId)
  if (accepted?.type !== 'prompt.accepted') throw new AppError('internal', `the log lacks prompt ${turn.promptId}`)
  const blocks = accepted.content.map((part) => blockOf(part, facts))
  if (!facts.isKnown) {
    const told = retold(turn)
    return told === '' ? blocks : [{ type: 'text', text: told }, ...blocks]
  }
  return wasSent(turn, facts.foreignId) ? [{ type: 'text', text: INTERRUPTED }, ...blocks] : blocks
}

const INTERRUPTED = 'Your work on this prompt was interrupted. Look at what is done already, and go on with it:'

/** An earlier turn of this prompt reached this session of the agent. */
function wasSent({ events, promptId, turnId }: Pick<TurnContext, 'events' | 'promptId' | 'turnId'>, foreignId: string): boolean {
  const turns = new Set(
    events.flatMap((event) =>
      event.type === 'turn.started' && event.promptId === promptId && event.turnId !== turnId ? [event.turnId] : [],
    ),
  )
  return events.some((event) => event.type === 'route.chosen' && turns.has(event.turnId) && event.foreignSessionId === foreignId)
}

/** The session so far, for an agent that begins anew in it: its end counts more than its beginning. */
function retold({ events, turnId, promptId }: Pick<TurnContext, 'events' | 'promptId' | 'turnId'>): string {
  const lines = events.flatMap((event) => (isOf(event, promptId) || ('turnId' in event && event.turnId === turnId) ? [] : lineOf(event)))
  if (lines.length === 0) return ''
  const text = lines.join('\n\n')
  const shown = text.length > MAX_RETOLD_CHARS ? `… ${text.slice(-MAX_RETOLD_CHARS)}` : text
  return `This session goes on from an earlier one, which went like this:\n\n${shown}\n\n(end of what was before)`
}

const isOf = (event: DurableEvent, promptId: string): boolean => event.type === 'prompt.accepted' && event.promptId === promptId

function lineOf(event: DurableEvent): string[] {
  switch (event.type) {
    case 'prompt.accepted':
      return [`User: ${clipMiddle(textOf(event.content), MAX_RETOLD_EVENT_CHARS)}`]
    case 'message.completed':
      return event.text === '' ? [] : [`You: ${clipMiddle(event.text, MAX_RETOLD_EVENT_CHARS)}`]
    case 'tool.ended':
      return [`(you used ${event.name}: ${clipMiddle(JSON.stringify(event.input), 300)}${event.isError ? '; it failed' : ''})`]
    default:
      return []
  }
}

const textOf = (content: PromptContent): string =>
  content.map((part) => (part.type === 'text' ? part.text : `[${part.filename ?? part.mediaType}]`)).join('\n')

const TEXTUAL = /^text\/|^application\/(json|xml|toml|yaml|x-yaml|javascript|typescript|sql)\b|\+(json|xml)$/

function blockOf(part: PromptContent[number], { agentId, takes }: PromptFacts): ContentBlock {
  if (part.type === 'text') return { type: 'text', text: part.text }
  const { mediaType, data, filename = 'attachment' } = part
  if (mediaType.startsWith('image/') && takes.image) return { type: 'image', mimeType: mediaType, data }
  const isText = TEXTUAL.test(mediaType)
  const uri = `attachment:///${encodeURIComponent(filename)}`
  if (takes.embeddedContext) {
    const resource = isText ? { uri, mimeType: mediaType, text: decoded(data) } : { uri, mimeType: mediaType, blob: data }
    return { type: 'resource', resource }
  }
  if (isText) return { type: 'text', text: `Content of ${filename}:\n${decoded(data)}\n(end of ${filename})` }
  throw new AppError('unsupported', `agent ${agentId} takes no ${mediaType} (${filename})`)
}

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')
