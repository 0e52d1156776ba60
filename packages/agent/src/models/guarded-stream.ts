import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { AppError } from '@qmtcode/protocol'
import type { ModelPart } from '@qmtcode/protocol'
import { createStreamWatch } from './stream-watch.ts'

export interface StreamTimeouts {
  /** From the call to the first part that the model wrote. Default: 300 s. */
  firstTokenMs?: number
  /** Between such parts. Pings are none. Default: 120 s. */
  idleMs?: number
}

export interface GuardedSource {
  /** `provider/model`, for messages. */
  model: string
  /** Starts the call. `signal` aborts when the reader leaves or cancels, or a timeout strikes. */
  open(signal: AbortSignal): AsyncIterable<LanguageModelV4StreamPart> | Promise<AsyncIterable<LanguageModelV4StreamPart>>
  /** Whatever the source throws, or puts into an `error` part, as ours. */
  toError(error: unknown): AppError
  /** The source ended without a finish. */
  endedEarly(): AppError
  /** Its pings come from the model's own server, and say that it is at work: they count against the limits. Default: false. */
  hasLivePings?: boolean
  /** Once, however the stream ended. */
  close?(): void
}

const DEFAULT_FIRST_TOKEN_MS = 300_000
const DEFAULT_IDLE_MS = 120_000
/** For a server that keeps its stream open after the finish: then the connection is given up. */
const DRAIN_MS = 1_000

/**
 * A model's stream with exactly one end: the parts and, last, one `finish`; or a thrown AppError.
 * Whatever the source does, it is released: read to its end, or aborted.
 */
export async function* guarded(source: GuardedSource, options: StreamTimeouts & { signal?: AbortSignal } = {}): AsyncGenerator<ModelPart> {
  const { firstTokenMs = DEFAULT_FIRST_TOKEN_MS, idleMs = DEFAULT_IDLE_MS, signal } = options
  let hasToken = false
  let finish: ModelPart | undefined
  let parts: AsyncIterator<LanguageModelV4StreamPart> | undefined
  const watch = createStreamWatch(signal, () => timeoutError(source.model, hasToken ? { idleMs } : { firstTokenMs }))
  try {
    watch.arm(firstTokenMs)
    const opened = await watch.first(Promise.resolve(source.open(watch.signal)))
    parts = opened[Symbol.asyncIterator]()
    for (;;) {
      const next = await watch.first(parts.next())
      if (next.done) break
      const part = checked(next.value, source)
      if (!part || finish) continue
      if (part.type === 'ping' && source.hasLivePings === true) {
        watch.arm(hasToken ? idleMs : firstTokenMs)
        continue
      }
      if (part.type === 'finish') {
        finish = part
        watch.arm(DRAIN_MS)
        continue
      }
      yield part
      if (!isToken(part)) continue
      hasToken = true
      watch.arm(idleMs)
    }
    if (!finish) throw source.endedEarly()
  } catch (error) {
    if (!finish || signal?.aborted) throw watch.reason() ?? source.toError(error)
  } finally {
    watch.end({ abort: finish === undefined })
    // The abort ends an abandoned source; what it still says concerns nobody.
    if (!finish) parts?.return?.().catch(() => {})
    source.close?.()
  }
  if (finish) yield finish
}

/** Undefined for a raw part; throws for an error, and for a finish that is none. */
function checked(part: LanguageModelV4StreamPart, source: GuardedSource): ModelPart | undefined {
  switch (part.type) {
    case 'error':
      throw source.toError(part.error)
    case 'raw':
      return undefined
    case 'response-metadata':
      return { type: part.type, id: part.id, timestamp: part.timestamp, modelId: part.modelId }
    case 'finish':
      return finishOf(part, source)
    default:
      return part
  }
}

/** A server's own account of usage stays here: its shape is not ours. */
function finishOf(part: Extract<ModelPart, { type: 'finish' }>, source: GuardedSource): ModelPart {
  if (part.finishReason.unified === 'interrupted') throw source.endedEarly()
  if (part.finishReason.unified === 'error') {
    const why = part.finishReason.raw ?? 'no reason given'
    throw new AppError('provider_error', `${source.model} ended its answer with an error (${why.slice(0, 100)})`)
  }
  const { inputTokens, outputTokens } = part.usage
  return { ...part, usage: { inputTokens, outputTokens } }
}

/** Pings and the stream's own announcements are none. */
export function isToken(part: ModelPart): boolean {
  return part.type !== 'ping' && part.type !== 'stream-start' && part.type !== 'response-metadata'
}

function timeoutError(model: string, struck: { firstTokenMs?: number; idleMs?: number }): AppError {
  const [ms, what, key] =
    struck.idleMs === undefined
      ? [struck.firstTokenMs, 'gave no first token', 'first_token_secs']
      : [struck.idleMs, 'went silent in the middle of its answer', 'idle_secs']
  return new AppError('timeout', `${model} ${what} within ${(ms ?? 0) / 1_000} s`, { hint: `[mesh.timeouts] ${key}` })
}
