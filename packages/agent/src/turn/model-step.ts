import { setTimeout } from 'node:timers/promises'
import { AppError, isAppError, newMessageId, toAppError } from '@qmtcode/protocol'
import type { DurableEvent, DurableEventInit, MessageId, ModelCallOptions, ModelPart } from '@qmtcode/protocol'
import { createMessageBuilder } from './message-builder.ts'
import type { Message } from './message-builder.ts'
import { RETRY_DELAYS_MS, retryDelayMs } from './retries.ts'
import type { ChosenRoute, Router, TurnContext } from './types.ts'
import { toUsage } from './usage.ts'

export interface ModelStep {
  message: Message
  /** What cut it; the message is then partial. */
  error?: AppError
}

export interface StepComponents {
  router: Router
  turn: TurnContext
  append(event: DurableEventInit): Promise<DurableEvent>
  /** Told of each settled route, before the first part. */
  onRoute(route: ChosenRoute): Promise<void>
  usedIds: Set<string>
  /** Default: RETRY_DELAYS_MS. */
  retryDelaysMs?: readonly number[]
}

/**
 * One model call: streamed to the followers, then in the log, whole or as far as it came. What passes by itself before anything of the answer came is
 * tried again, for all to see.
 */
export async function runModelStep(components: StepComponents, options: ModelCallOptions): Promise<ModelStep> {
  const { turn, retryDelaysMs = RETRY_DELAYS_MS } = components
  for (let attempt = 0; ; attempt += 1) {
    const { isBegun, ...step } = await callModel(components, options)
    const delayMs = isBegun || !step.error ? undefined : retryDelayMs(step.error, attempt, retryDelaysMs)
    if (delayMs === undefined || !step.error) return step
    const { code, message } = step.error
    const shown = { attempt: attempt + 1, of: retryDelaysMs.length, delayMs, code, message: message.slice(0, MAX_RETRY_CHARS) }
    turn.publish({ type: 'model.retry', turnId: turn.turnId, ...shown })
    try {
      await setTimeout(delayMs, undefined, { signal: turn.signal })
    } catch (cause) {
      return { ...step, error: callError(cause, turn.signal) }
    }
  }
}

const MAX_RETRY_CHARS = 500

/** `isBegun`: something of an answer came. */
async function callModel(components: StepComponents, options: ModelCallOptions): Promise<ModelStep & { isBegun: boolean }> {
  const { router, turn, append, onRoute, usedIds } = components
  const builder = createMessageBuilder(usedIds)
  const messageId = newMessageId()
  let error: AppError | undefined
  let parts: AsyncIterable<ModelPart> | undefined
  try {
    const { agent, model, sessionId, signal, guest } = turn
    const origin = guest === undefined ? undefined : [guest]
    const routed = { agent, model, options, sessionId, origin, signal, onRoute, onLink: turn.publish }
    const opened = await untilAborted(router.open(routed), signal)
    parts = opened.parts
    await onRoute(opened.route)
  } catch (cause) {
    if (parts) discard(parts)
    return { message: builder.build(), error: callError(cause, turn.signal), isBegun: false }
  }
  let isBegun = false
  try {
    for await (const part of abortable(parts, turn.signal)) {
      isBegun ||= !ANNOUNCEMENTS.has(part.type)
      const shown = builder.add(part)
      if (shown) turn.publish({ type: 'message.delta', turnId: turn.turnId, messageId, ...shown })
    }
    if (!builder.build().finish) throw new AppError('provider_error', "the model's answer ended without its end: it may be incomplete")
  } catch (cause) {
    error = callError(cause, turn.signal)
  }
  const message = builder.build()
  await store({ message, messageId, partial: error !== undefined || isCut(message) }, { turn, append })
  return { message, error, isBegun }
}

/** Parts that are nothing of an answer. */
const ANNOUNCEMENTS: ReadonlySet<ModelPart['type']> = new Set(['stream-start', 'response-metadata', 'ping'])

const isCut = ({ finish }: Message): boolean => finish?.reason.unified === 'error' || finish?.reason.unified === 'interrupted'

async function store(
  { message, messageId, partial }: { message: Message; messageId: MessageId; partial: boolean },
  { turn, append }: Pick<StepComponents, 'turn' | 'append'>,
): Promise<void> {
  if (partial && message.content.length === 0) return
  const { text, content, finish } = message
  await append({
    type: 'message.completed',
    turnId: turn.turnId,
    messageId,
    role: 'assistant',
    text,
    // Calls of a cut message never ran, and never will.
    content: partial ? content.filter(({ type }) => type !== 'tool-call') : content,
    usage: finish && toUsage(finish.usage),
    partial: partial || undefined,
  })
}

const TOO_LONG = /context.{0,3}(length|window|size)|maximum context|prompt is too long|input is too long|too many (input )?tokens/i

function callError(cause: unknown, signal: AbortSignal): AppError {
  if (signal.aborted) return new AppError('cancelled', 'the turn was cancelled', { cause })
  const error = toAppError(cause)
  if (!isAppError(error, 'provider_error', 'bad_request', 'too_large')) return error
  if (error.details?.providerCode !== 'context_length_exceeded' && !TOO_LONG.test(error.message)) return error
  return new AppError('too_large', `the conversation no longer fits into the model's context: ${error.message}`, {
    cause: error,
    hint: 'start a new session, or take a model with a larger context',
    details: error.details,
  })
}

/** Ends at the abort even where `parts` does not, and tells it that nobody reads on. */
async function* abortable(parts: AsyncIterable<ModelPart>, signal: AbortSignal): AsyncGenerator<ModelPart> {
  const iterator = parts[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), signal)
      if (next.done === true) {
        ended = true
        return
      }
      yield next.value
    }
  } finally {
    // Not awaited: a generator that is stuck in its next() would answer after it.
    if (!ended) iterator.return?.().catch(() => {})
  }
}

/** Tells a stream that was not begun that nobody will read it. */
function discard(parts: AsyncIterable<ModelPart>): void {
  parts[Symbol.asyncIterator]()
    .return?.()
    .catch(() => {})
}

function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new AppError('cancelled', 'the turn was cancelled'))
    signal.addEventListener('abort', onAbort, { once: true })
    promise
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort))
      .catch(() => {})
    if (signal.aborted) onAbort()
  })
}
