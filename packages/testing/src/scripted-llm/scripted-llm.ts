import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { anthropicDialect } from './anthropic-dialect.ts'
import { writeAnswer } from './answer-writer.ts'
import { openaiDialect } from './openai-dialect.ts'
import { listedBy, ownPath } from './played-server.ts'
import type { PlayedServer } from './played-server.ts'
import { handlerOf } from './script.ts'
import { complaintOf } from './strict.ts'
import type { ChatBody, Handler, Script } from './script.ts'

/** A model server on loopback that answers as its script says: OpenAI chat completions and Anthropic messages. */
export interface ScriptedLlm extends AsyncDisposable {
  /** Base URL, with `/v1`. */
  readonly url: string
  /** Every model call so far. */
  readonly requests: readonly RecordedRequest[]
  /** Calls whose client left before the answer was whole. */
  readonly aborts: number
  /** The call with this index (0 is the first), now or when it comes. */
  request(index: number): Promise<RecordedRequest>
  stop(): Promise<void>
}

export interface RecordedRequest {
  path: string
  headers: IncomingHttpHeaders
  body: ChatBody
  /** Resolves when the client leaves before the answer is whole; never otherwise. */
  aborted: Promise<void>
}

export interface ScriptedLlmOptions {
  /** Answer of GET /models. Default: `scripted`. */
  models?: readonly string[]
  /** Told there of each. Default: nothing. */
  contextTokens?: number
  /** Which server it plays beside `/v1`. Default: one that has nothing there. */
  plays?: PlayedServer
  /** Calls that the played server says it runs at once. */
  slots?: number
  /** False keeps no requests, for long runs. Default: true. */
  record?: boolean
  /** Default: any free one. */
  port?: number
  /** Refuses, with status 400, what the strictest servers refuse. Default: true. */
  strict?: boolean
}

export async function startScriptedLlm(script: Script | Handler, options: ScriptedLlmOptions = {}): Promise<ScriptedLlm> {
  const { models = ['scripted'], contextTokens, slots, plays, record = true, port = 0, strict = true } = options
  const handler = handlerOf(script)
  const requests: RecordedRequest[] = []
  const waiting = new Map<number, ((request: RecordedRequest) => void)[]>()
  let calls = 0
  let aborts = 0

  const remember = (index: number, request: RecordedRequest): void => {
    if (!record) return
    requests[index] = request
    for (const resolve of waiting.get(index) ?? []) resolve(request)
    waiting.delete(index)
  }

  const answerCall = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const index = calls
    calls += 1
    const gone = new AbortController()
    let cutByUs = false
    const cut = (): void => {
      cutByUs = true
      response.destroy()
    }
    const aborted = new Promise<void>((resolve) => {
      response.once('close', () => {
        if (response.writableFinished || cutByUs) return
        aborts += 1
        gone.abort()
        resolve()
      })
    })
    const body = JSON.parse(await textOf(incoming)) as ChatBody
    const path = (incoming.url ?? '/').replace(/\?.*/, '')
    remember(index, { path, headers: incoming.headers, body, aborted })
    const dialect = path.endsWith('/messages') ? anthropicDialect(body, `msg_${index}`) : openaiDialect(body, `chatcmpl-${index}`)
    const complaint = strict ? complaintOf(path, body) : undefined
    const refusal = complaint === undefined ? undefined : [{ fault: { status: 400, message: `strict server: ${complaint}` } }]
    const answer = refusal ?? handler(body, index) ?? [{ fault: { status: 500, message: `the script has no answer for call ${index}` } }]
    await writeAnswer({ response, dialect, gone: gone.signal, cut }, answer, { streaming: body.stream === true })
  }

  const server = createServer((incoming, response) => {
    const path = (incoming.url ?? '/').replace(/\?.*/, '')
    const own = ownPath(plays, path, { models, contextTokens, slots })
    if (incoming.method === 'GET' && own === undefined && path.endsWith('/models')) {
      sendJson(response, { object: 'list', data: listedBy(plays, { models, contextTokens, slots }) })
    } else if (own !== undefined) {
      sendJson(response, own)
    } else if (incoming.method === 'POST' && /\/(chat\/completions|messages)$/.test(path)) {
      answerCall(incoming, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
    } else {
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"error":{"message":"no such path","type":"invalid_request_error"}}')
    }
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))

  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    get aborts() {
      return aborts
    },
    request: (index) => {
      const known = requests[index]
      if (known) return Promise.resolve(known)
      return new Promise((resolve) => waiting.set(index, [...(waiting.get(index) ?? []), resolve]))
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
