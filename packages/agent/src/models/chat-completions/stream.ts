import { APICallError } from '@ai-sdk/provider'
import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { AppError } from '@qmtcode/protocol'
import { request } from 'undici'
import type { Dispatcher } from 'undici'
import { modelDispatcher } from '../providers/dispatcher.ts'
import { createAnswer } from './answer.ts'
import type { Answer } from './answer.ts'
import { chatBody } from './body.ts'
import { readChunk } from './chunk.ts'
import { createEventReader } from './events.ts'
import type { StreamEvent } from './events.ts'

type Part = LanguageModelV4StreamPart

export interface ChatServer {
  name: string
  /** Without a slash at its end. */
  baseUrl: string
  apiKey: string | undefined
}

const MAX_ERROR_BYTES = 65_536
const MAX_ANSWER_BYTES = 67_108_864

/**
 * One call of a server that speaks OpenAI's chat completions, as real servers speak it: what they send beside the format is skipped or understood.
 * A `ping` part says that the server is alive though nothing of the answer came. Who waits for it sets the limits: this one waits for ever.
 * Throws APICallError for an answer with a status, and what the socket says.
 */
export async function* streamChat(server: ChatServer, model: string, options: LanguageModelV4CallOptions): AsyncGenerator<Part> {
  const url = `${server.baseUrl}/chat/completions`
  const body = chatBody(model, options)
  const response = await send(server, url, { body, signal: options.abortSignal })
  const { statusCode, headers } = response
  const type = String(headers['content-type'] ?? '')
  if (statusCode >= 300) throw await statusError(url, response)
  if (isHtml(type)) {
    response.body.destroy()
    throw webPage(server, statusCode)
  }
  const answer = createAnswer(`${server.name}/${model}`)
  const isStream = /event-stream|x-ndjson/i.test(type) || type === ''
  yield* isStream ? readEvents(url, response.body, answer) : readWhole(await textOf(response.body, MAX_ANSWER_BYTES), answer)
}

async function send(
  server: ChatServer,
  url: string,
  { body, signal }: { body: unknown; signal: AbortSignal | undefined },
): Promise<Dispatcher.ResponseData> {
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'text/event-stream, application/json' }
  if (server.apiKey !== undefined) headers['authorization'] = `Bearer ${server.apiKey}`
  try {
    return await request(url, { method: 'POST', headers, body: JSON.stringify(body), dispatcher: await modelDispatcher(), signal })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new APICallError({ message: messageOf(cause), url, requestBodyValues: {}, cause })
  }
}

type Body = Dispatcher.ResponseData['body']

async function* readEvents(url: string, body: Body, answer: Answer): AsyncGenerator<Part> {
  const decoder = new TextDecoder()
  const reader = createEventReader()
  let bytes = 0
  let isDone = false
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength
      if (bytes > MAX_ANSWER_BYTES)
        throw new AppError('too_large', `the model's server sent an answer of more than ${MAX_ANSWER_BYTES} bytes`)
      for (const event of reader.feed(decoder.decode(chunk, { stream: true }))) {
        isDone ||= event.type === 'done'
        yield* partsOf(event, answer)
      }
      if (isDone) break
    }
    for (const event of reader.end()) {
      isDone ||= event.type === 'done'
      yield* partsOf(event, answer)
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    // An answer that is whole stays so, whatever the connection does afterwards.
    if (!answer.isFinished) throw new APICallError({ message: messageOf(cause), url, requestBodyValues: {}, statusCode: 200, cause })
  }
  if (answer.isFinished || (isDone && answer.isBegun)) yield* answer.end()
}

function partsOf(event: StreamEvent, answer: Answer): Part[] {
  switch (event.type) {
    case 'done':
      return []
    case 'alive':
      return [{ type: 'ping' }]
    case 'words':
      return [{ type: 'error', error: { message: event.text } }]
    case 'data':
      return dataParts(event.value, answer)
  }
}

function dataParts(value: unknown, answer: Answer): Part[] {
  const chunk = readChunk(value)
  if (!chunk) return [{ type: 'ping' }]
  if ('error' in chunk) return [{ type: 'error', error: typeof chunk.error === 'string' ? { message: chunk.error } : chunk.error }]
  const parts = answer.add(chunk)
  return parts.length > 0 ? parts : [{ type: 'ping' }]
}

/** A whole answer where a stream was asked for: some servers cannot stream with tools. */
function readWhole(text: string, answer: Answer): Part[] {
  const value = parsed(text)
  if (value === undefined) return [{ type: 'error', error: { message: text.trim().slice(0, 500) || 'an empty answer' } }]
  const parts = dataParts(value, answer)
  return answer.isBegun ? [...parts, ...answer.end()] : parts
}

async function statusError(url: string, { statusCode, headers, body }: Dispatcher.ResponseData): Promise<APICallError> {
  const responseBody = await textOf(body, MAX_ERROR_BYTES)
  const responseHeaders = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  const data = parsed(responseBody)
  const found = data === undefined ? undefined : readChunk(data)
  const error = found && 'error' in found ? found.error : data
  const words = typeof error === 'string' ? error : (error as { message?: unknown } | undefined)?.message
  const isPage = isHtml(String(headers['content-type'] ?? ''))
  const said = isPage ? 'a web page in place of an answer' : responseBody.trim().slice(0, 500)
  const message = typeof words === 'string' ? words : said || `status ${statusCode}`
  return new APICallError({ message, url, requestBodyValues: {}, statusCode, responseHeaders, responseBody, data: data ?? {} })
}

async function textOf(body: Body, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) return text
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
const isHtml = (type: string): boolean => /text\/html|application\/xhtml/i.test(type)

function webPage({ name, baseUrl }: ChatServer, status: number): AppError {
  return new AppError('provider_error', `${name} at ${baseUrl} answered with a web page (status ${status}), not as a model server`, {
    details: { status },
    hint: `check [providers.${name}] base_url; it usually ends in /v1`,
  })
}
