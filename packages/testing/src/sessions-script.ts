import { newMessageId } from '@qmtcode/protocol'
import type {
  DurableEvent,
  DurableEventInit,
  Json,
  LiveEventInit,
  PermissionAnswer,
  PromptId,
  QuestionChoice,
  QuestionReply,
  SessionEvent,
  SessionId,
  Sessions,
  StopReason,
  Usage,
} from '@qmtcode/protocol'

/** The part of a turn that the script needs; every RunTurn's context has it. */
export interface ScriptedTurn {
  turnId: string
  promptId: PromptId
  events: readonly DurableEvent[]
  append(event: DurableEventInit): Promise<DurableEvent>
  publish(event: LiveEventInit): void
  ask(request: { callId: string; tool: string; input: Json; summary: string }): Promise<{ answer: PermissionAnswer; reason?: string }>
  question(question: {
    callId: string
    text: string
    choices: QuestionChoice[]
    multiple: boolean
    freeText: boolean
  }): Promise<{ reply?: QuestionReply; reason?: string }>
  signal: AbortSignal
}

export type ScriptedRunTurn = (turn: ScriptedTurn) => Promise<{ stopReason: StopReason; usage: Usage }>

/**
 * A turn that does what its prompt says: `say X`; `wait`, which says half and goes on at `release`; `ask`, which asks to run a tool
 * and says the answer; `choose`, which asks for one of two colours, or other words, and says the reply; `pick`, which takes several
 * of them and no words; `wonder`, which takes words only; `stick`, which starts a tool that never ends; `throw`.
 */
export interface TurnScript {
  runTurn: ScriptedRunTurn
  /** Lets every `wait`, now and later, go on. */
  release(): void
}

const usage: Usage = { inputTokens: 10, outputTokens: 5 }

export function createTurnScript(): TurnScript {
  const gate = Promise.withResolvers<void>()
  return {
    release: gate.resolve,
    runTurn: async (turn) => {
      const [verb, ...rest] = promptText(turn).split(' ')
      try {
        if (verb === 'wait') await sayInHalves(turn, gate.promise)
        else if (verb === 'ask') await say(turn, `answer: ${(await turn.ask(question)).answer}`)
        else if (verb === 'choose' || verb === 'pick' || verb === 'wonder') await say(turn, await choose(turn, verb))
        else if (verb === 'stick') await stick(turn)
        else if (verb === 'throw') throw new Error('the turn is broken')
        else await say(turn, rest.join(' '))
      } catch (error) {
        if (!turn.signal.aborted) throw error
        return { stopReason: 'cancelled', usage }
      }
      return { stopReason: 'completed', usage }
    },
  }
}

const question = { callId: 'call_1', tool: 'shell', input: { command: 'true' }, summary: 'run: true' }

async function choose(turn: ScriptedTurn, verb: 'choose' | 'pick' | 'wonder'): Promise<string> {
  const choices = [{ label: 'red', description: 'as a rose' }, { label: 'blue' }]
  const { reply, reason } = await turn.question({
    callId: 'call_1',
    text: 'Which colour?',
    choices: verb === 'wonder' ? [] : choices,
    multiple: verb === 'pick',
    freeText: verb !== 'pick',
  })
  return reply ? `reply: ${[...reply.choices, ...(reply.text === undefined ? [] : [`"${reply.text}"`])].join(' ')}` : `no reply: ${reason}`
}

function promptText({ events, promptId }: ScriptedTurn): string {
  for (const event of events) {
    if (event.type !== 'prompt.accepted' || event.promptId !== promptId) continue
    return event.content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  }
  return ''
}

async function say(turn: ScriptedTurn, text: string): Promise<void> {
  const messageId = newMessageId()
  for (const word of text.split(/(?<= )/)) turn.publish({ type: 'message.delta', turnId: turn.turnId, messageId, kind: 'text', text: word })
  await complete(turn, messageId, text)
}

async function sayInHalves(turn: ScriptedTurn, gate: Promise<void>): Promise<void> {
  const messageId = newMessageId()
  const delta = { type: 'message.delta', turnId: turn.turnId, messageId, kind: 'text' } as const
  turn.publish({ ...delta, text: 'first ' })
  await Promise.race([gate, aborted(turn.signal)])
  turn.publish({ ...delta, text: 'second' })
  await complete(turn, messageId, 'first second')
}

async function stick(turn: ScriptedTurn): Promise<void> {
  await turn.append({ type: 'tool.started', turnId: turn.turnId, callId: 'call_1', name: 'shell', input: {}, node: 'host' })
  await aborted(turn.signal)
}

async function complete(turn: ScriptedTurn, messageId: ReturnType<typeof newMessageId>, text: string): Promise<void> {
  const content = [{ type: 'text' as const, text }]
  await turn.append({ type: 'message.completed', turnId: turn.turnId, messageId, role: 'assistant', text, content, usage })
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })
}

export type SeenEvent<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>

/** Follows until `last` says so, and gives all that was seen. Fails after `deadlineMs`. */
export async function followUntil(
  sessions: Sessions,
  id: SessionId,
  last: (event: SessionEvent) => boolean,
  { after = 0, deadlineMs = 20_000 }: { after?: number; deadlineMs?: number } = {},
): Promise<SessionEvent[]> {
  const seen: SessionEvent[] = []
  for await (const event of sessions.follow(id, { after, signal: AbortSignal.timeout(deadlineMs) })) {
    seen.push(event)
    if (last(event)) return seen
  }
  throw new Error(`the follow ended without the awaited event; seen: ${seen.map(({ type }) => type).join(', ')}`)
}
