import { AppError, newMessageId } from '@qmtcode/protocol'
import type { Clock, ContentPart, DurableEventInit, MessageId } from '@qmtcode/protocol'
import type { TurnContext } from '../turn/types.ts'
import { blockText, inputOf, outputOf } from './call-text.ts'
import type { AgentUpdate, CallUpdate } from './updates.ts'

const MAX_MESSAGE_CHARS = 200_000 // then it goes on in a next one: an event has to fit a frame
const MAX_OPEN_CALLS = 1_000
const PROGRESS_CHARS = 4_000

/** Writes what an agent tells into the log of its session: in its order, one after the other. */
export interface Recorder {
  add(update: Exclude<AgentUpdate, { type: 'context' }>): Promise<void>
  /** The call of a permission request, begun if it was not. */
  begun(call: CallUpdate): Promise<{ callId: string; name: string; call: CallUpdate }>
  /** A call of our own, on the agent's behalf. */
  ran(call: { name: string; input: DurableInput; output: string; isError: boolean }, startedAt: number): Promise<void>
  /** The last message; `partial` when the turn was cut. */
  end(options: { partial: boolean }): Promise<void>
}

type DurableInput = Extract<DurableEventInit, { type: 'tool.started' }>['input']

interface Call {
  callId: string
  told: CallUpdate
  startedAt?: number
  /** Told of before: some agents tell the input in a second word, while it is pending still. */
  isKnown?: boolean
  hasEnded: boolean
}

export function createRecorder(turn: TurnContext, { node, clock }: { node: string; clock: Clock }): Recorder {
  const { turnId } = turn
  const calls = new Map<string, Call>()
  const message = createMessage(turn)
  let ownCalls = 0
  let last = Promise.resolve()
  /** One after the other, and nothing more once the log refused. */
  const inOrder = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work)
    last = done.then(() => {})
    last.catch(() => {})
    return await done
  }

  const callOf = (update: CallUpdate): Call => {
    const known = calls.get(update.toolCallId)
    if (known) {
      if (!known.hasEnded) known.told = merged(known.told, update)
      return known
    }
    if (calls.size >= MAX_OPEN_CALLS * 10) throw new AppError('too_large', `more than ${MAX_OPEN_CALLS * 10} tool calls in one turn`)
    const made: Call = { callId: callIdOf(update.toolCallId, calls.size), told: update, hasEnded: false }
    calls.set(update.toolCallId, made)
    return made
  }
  const start = async (call: Call): Promise<void> => {
    if (call.startedAt !== undefined) return
    call.startedAt = clock.monotonic()
    await message.flush()
    const { callId, told } = call
    await turn.append({ type: 'tool.started', turnId, callId, name: nameOf(told), input: inputOf(told), node })
  }
  const tell = async (call: Call): Promise<void> => {
    const { status } = call.told
    const isOver = status === 'completed' || status === 'failed'
    if (call.hasEnded) return
    if (isOver || status === 'in_progress' || (call.isKnown && hasInput(call.told))) await start(call)
    call.isKnown = true
    if (!isOver) return progress(call)
    call.hasEnded = true
    const { callId, told, startedAt = 0 } = call
    const ended = { callId, name: nameOf(told), input: inputOf(told), output: outputOf(told), isError: status === 'failed' }
    call.told = { toolCallId: told.toolCallId, name: told.name, kind: told.kind } // what it held is in the log
    await turn.append({ type: 'tool.ended', turnId, ...ended, durationMs: clock.monotonic() - startedAt })
  }
  const progress = (call: Call): void => {
    if (call.startedAt === undefined || !call.told.content) return
    const text = outputOf(call.told).slice(-PROGRESS_CHARS)
    if (text !== '') turn.publish({ type: 'tool.progress', turnId, callId: call.callId, text })
  }
  return {
    add: (update) =>
      inOrder(async () => {
        if (update.type === 'call') return await tell(callOf(update.call))
        if (update.type === 'message') return await message.add(update.kind, blockText(update.block), update.messageId)
        const lines = update.entries.map(
          ({ content, status }) => `[${status === 'completed' ? 'x' : status === 'in_progress' ? '~' : ' '}] ${content}`,
        )
        await message.add('reasoning', `\nPlan:\n${lines.join('\n')}\n`)
      }),
    begun: (update) =>
      inOrder(async () => {
        const call = callOf(update)
        await start(call)
        return { callId: call.callId, name: nameOf(call.told), call: call.told }
      }),
    ran: ({ name, input, output, isError }, startedAt) =>
      inOrder(async () => {
        ownCalls += 1
        const base = { turnId, callId: `qmt-${ownCalls}`, name, input }
        await message.flush()
        await turn.append({ type: 'tool.started', ...base, node })
        await turn.append({ type: 'tool.ended', ...base, output, isError, durationMs: clock.monotonic() - startedAt })
      }),
    end: ({ partial }) => inOrder(() => message.flush(partial)),
  }
}

/** The message that is being written. */
function createMessage(turn: TurnContext) {
  const { turnId } = turn
  let messageId: MessageId = newMessageId()
  let agentsId: string | undefined
  let content: Extract<ContentPart, { type: 'text' | 'reasoning' }>[] = []
  let chars = 0
  const flush = async (partial = false): Promise<void> => {
    if (content.length === 0) return
    const [id, parts] = [messageId, content]
    content = []
    chars = 0
    messageId = newMessageId()
    const text = parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
    await turn.append({
      type: 'message.completed',
      turnId,
      messageId: id,
      role: 'assistant',
      text,
      content: parts,
      ...(partial && { partial: true }),
    })
  }
  const add = async (kind: 'text' | 'reasoning', text: string, id?: string): Promise<void> => {
    if (text === '') return
    if (id !== undefined && agentsId !== undefined && id !== agentsId) await flush()
    agentsId = id ?? agentsId
    for (let from = 0; from < text.length; from += MAX_MESSAGE_CHARS) {
      const piece = text.slice(from, from + MAX_MESSAGE_CHARS)
      if (chars + piece.length > MAX_MESSAGE_CHARS) await flush()
      chars += piece.length
      const open = content.at(-1)
      if (open?.type === kind) open.text += piece
      else content.push({ type: kind, text: piece })
      turn.publish({ type: 'message.delta', turnId, messageId, kind, text: piece })
    }
  }
  return { add, flush }
}

/** An update holds what changed. */
function merged(before: CallUpdate, update: CallUpdate): CallUpdate {
  const given = Object.fromEntries(Object.entries(update).filter(([, value]) => value !== undefined && value !== null))
  const rawInput = hasInput(update) ? update.rawInput : before.rawInput
  return { ...before, ...given, rawInput, rawOutput: update.rawOutput ?? before.rawOutput, toolCallId: before.toolCallId }
}

const hasInput = ({ rawInput }: CallUpdate): boolean =>
  typeof rawInput === 'object' && rawInput !== null && Object.keys(rawInput).length > 0

const PORTABLE = /^[\w-]{1,64}$/
const callIdOf = (id: string, index: number): string => (PORTABLE.test(id) && !id.startsWith('qmt-') ? id : `call-${index + 1}`)

/** A word, as our own tools have: what the agent calls it, else what kind it is of. */
const nameOf = ({ name, kind }: CallUpdate): string => (name ?? kind ?? 'tool').replace(/[^\w.-]/g, '_').slice(0, 64) || 'tool'
