import { APICallError } from '@ai-sdk/provider'
import { AppError } from '@qmtcode/protocol'
import type { ErrorDetails } from '@qmtcode/protocol'
import type { Provider } from './providers/provider.ts'
import { retryAfterMs, retryHint } from './retry-after.ts'

/** Which model was called where, for the message. */
export interface CalledModel {
  provider: Pick<Provider, 'name' | 'title' | 'baseUrl' | 'keySource' | 'redact'>
  /** `provider/model`. */
  model: string
}

/** What a provider package threw, or put into its stream, as ours: typed, short, without keys. */
export function toProviderError(error: unknown, called: CalledModel): AppError {
  if (error instanceof AppError) return error
  if (APICallError.isInstance(error)) return error.statusCode === undefined ? unreachable(error, called) : fromStatus(error, called)
  const frame = streamFrame(error)
  if (frame) return fromFrame(frame, called)
  if (error instanceof Error) return fromException(error, called)
  return providerError(called, `${called.model} failed: ${describe(error)}`)
}

export function endedEarly(called: CalledModel, cause?: unknown): AppError {
  const details = networkDetails(cause)
  return providerError(called, `${called.model} ended early: the model's server closed the stream before the answer was whole`, {
    cause,
    details,
  })
}

/** What the socket told, so that a caller can tell what passes by itself. */
function networkDetails(cause: unknown): ErrorDetails | undefined {
  const providerCode = causeCode(cause)
  return providerCode === undefined ? undefined : { providerCode }
}

function fromStatus(error: APICallError, called: CalledModel): AppError {
  const status = error.statusCode ?? 0
  if (status < 400) return brokenStream(error, called)
  const providerCode = codeOf(error.data ?? parsed(error.responseBody))
  const retry = retryAfterMs(error.responseHeaders)
  const details: ErrorDetails = { status, ...(providerCode && { providerCode }), ...(retry !== undefined && { retryAfterMs: retry }) }
  const said = called.provider.redact(messageOf(error) || `status ${status}`)
  return byStatus({ status, said, details, cause: error }, called)
}

function byStatus(failure: { status: number; said: string; details: ErrorDetails; cause?: unknown }, called: CalledModel): AppError {
  const { status, said, details, cause } = failure
  const { title, keySource, baseUrl, name } = called.provider
  if (status === 401 || status === 403) {
    const hint = keySource ? `the key comes from ${keySource}` : `set [providers.${name}] api_key, if it needs one`
    return new AppError('provider_error', clip(`${title} refused the key (status ${status}): ${said}`), { cause, details, hint })
  }
  if (status === 404) {
    const missing = baseUrl !== undefined && new URL(baseUrl).pathname === '/'
    const listed = `qmtcode models lists what there is; base_url is ${baseUrl ?? 'none'}`
    const hint = missing
      ? `base_url is ${baseUrl}: most servers want /v1 behind it: [providers.${name}] base_url = "${baseUrl}/v1"`
      : listed
    return new AppError('model_unavailable', clip(`${title} has no ${called.model}: ${said}`), { cause, details, hint })
  }
  if (status === 429) {
    const hint = retryHint(details.retryAfterMs)
    return new AppError('rate_limited', clip(`${title} limits ${called.model}: ${said}`), { cause, details, hint })
  }
  if (status < 500 && NO_TOOLS.test(said)) {
    const hint =
      'take a model that calls tools (qmtcode models); llama-server needs --jinja, vLLM --enable-auto-tool-choice --tool-call-parser NAME'
    return new AppError('provider_error', clip(`${called.model} cannot call tools at ${title} (status ${status}): ${said}`), {
      cause,
      details,
      hint,
    })
  }
  return new AppError('provider_error', clip(`${title} failed with status ${status}: ${said}`), { cause, details })
}

/** In the words of whichever server: Ollama, vLLM, llama-server, OpenRouter. */
const NO_TOOLS =
  /\b(no|not|without|unsupported|disabled)\b.{0,40}\b(tools?|function.?call)|\b(tools?|tool.?choice|function.?call\w*)\b.{0,60}(\bnot\b|n't|unsupported|requires?|disabled|--jinja|--enable)/i

function unreachable(error: APICallError, called: CalledModel): AppError {
  const { provider } = called
  const code = causeCode(error)
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new AppError('timeout', `${called.model} was silent for too long`, { cause: error })
  }
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET') return endedEarly(called, error)
  const why = NETWORK_REASONS[code ?? ''] ?? provider.redact(error.message.replace(/^Cannot connect to API:\s*/, ''))
  return providerError(called, `cannot reach ${provider.title} at ${provider.baseUrl ?? ''}: ${why}`, {
    cause: error,
    details: networkDetails(error),
    hint: `is it running there? The address is [providers.${provider.name}] base_url`,
  })
}

const NETWORK_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to it',
  ETIMEDOUT: 'timed out',
  UND_ERR_CONNECT_TIMEOUT: 'timed out',
}

/** Status 200, and then something went wrong. */
function brokenStream(error: APICallError, called: CalledModel): AppError {
  const code = causeCode(error)
  if (code === 'UND_ERR_BODY_TIMEOUT') return new AppError('timeout', `${called.model} was silent for too long`, { cause: error })
  if (code !== undefined) return endedEarly(called, error)
  return providerError(called, `${called.model} failed: ${messageOf(error)}`, { cause: error })
}

function fromException(error: Error, called: CalledModel): AppError {
  const said = called.provider.redact(error.message)
  switch (error.name) {
    case 'AbortError':
      return new AppError('cancelled', 'the model call was cancelled', { cause: error })
    case 'AI_UnsupportedFunctionalityError':
      return new AppError('unsupported', clip(`${called.model}: ${said}`), { cause: error })
    case 'AI_InvalidPromptError':
    case 'AI_InvalidArgumentError':
      return new AppError('bad_request', clip(`${called.model}: ${said}`), { cause: error })
    case 'AI_LoadAPIKeyError':
    case 'AI_NoSuchModelError':
      return new AppError('model_unavailable', clip(`${called.model}: ${said}`), { cause: error })
    case 'AI_JSONParseError':
    case 'AI_TypeValidationError':
      return providerError(called, `${called.model} sent something that is no model stream: ${said.slice(0, 200)}`, { cause: error })
    case 'AI_InvalidResponseDataError':
      if (/without a finish/.test(error.message)) return endedEarly(called, error)
      break
    case 'AI_EmptyResponseBodyError':
    case 'TypeError':
      if (/terminated|body/i.test(error.message)) return endedEarly(called, error)
      break
  }
  return providerError(called, `${called.model} failed: ${said}`, { cause: error })
}

interface StreamFrame {
  message: string
  code?: string
  statusCode?: number
}

/** An error that arrives as an event of the stream, in any of the providers' shapes. */
function streamFrame(error: unknown): StreamFrame | undefined {
  if (error instanceof Error || typeof error !== 'object' || error === null) return undefined
  const outer = error as Record<string, unknown>
  const inner = (typeof outer['error'] === 'object' && outer['error'] !== null ? outer['error'] : outer) as Record<string, unknown>
  if (typeof inner['message'] !== 'string') return undefined
  const statusCode = typeof outer['statusCode'] === 'number' ? outer['statusCode'] : undefined
  return { message: inner['message'], code: codeOf(error), statusCode }
}

function fromFrame({ message, code, statusCode }: StreamFrame, called: CalledModel): AppError {
  const status = statusCode ?? (/rate_limit|too_many|quota/i.test(code ?? '') ? 429 : undefined)
  const details: ErrorDetails = { ...(status !== undefined && { status }), ...(code && { providerCode: code }) }
  const said = called.provider.redact(message)
  if (status !== undefined && status >= 400) return byStatus({ status, said, details }, called)
  return new AppError('provider_error', clip(`${called.model} failed: ${said}`), { details })
}

const MAX_CODE_CHARS = 100

/** `insufficient_quota`, `overloaded_error`: what the provider itself calls it. */
function codeOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const outer = data as Record<string, unknown>
  const inner = (typeof outer['error'] === 'object' && outer['error'] !== null ? outer['error'] : outer) as Record<string, unknown>
  const code = [inner['code'], inner['type'], inner['status']].find((value) => typeof value === 'string' || typeof value === 'number')
  return code === undefined ? undefined : String(code).slice(0, MAX_CODE_CHARS)
}

/** The provider's sentence; packages that cannot parse a body leave it beside the message. */
function messageOf(error: APICallError): string {
  const body = parsed(error.responseBody) as { error?: unknown; message?: unknown } | undefined
  if (error.data === undefined && typeof body?.error === 'string') return body.error
  if (error.data === undefined && typeof body?.message === 'string') return body.message
  return error.message
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function causeCode(error: unknown): string | undefined {
  let current: unknown = error
  for (let depth = 0; depth < 6 && current instanceof Error; depth += 1) {
    const code = (current as { code?: unknown }).code
    if (typeof code === 'string') return code
    if (current instanceof AggregateError && current.errors.length > 0) current = current.errors[0]
    else current = current.cause
  }
  return undefined
}

function describe(error: unknown): string {
  if (typeof error === 'string') return error
  try {
    return JSON.stringify(error) ?? 'no reason given'
  } catch {
    return String(error) // a circle, or a bigint
  }
}

function providerError(
  called: CalledModel,
  message: string,
  options: { cause?: unknown; hint?: string; details?: ErrorDetails } = {},
): AppError {
  return new AppError('provider_error', clip(called.provider.redact(message)), options)
}

const MAX_CHARS = 500
const clip = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS - 1)}…` : text)
