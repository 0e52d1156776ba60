import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serveRole } from '../support/role.ts'

/**
 * An OpenAI-compatible model server that costs next to nothing: what it says was written before anybody asks.
 * The model's name says how: `fast` is 15 stream parts in one write; `paced-<ms>-<tokens>` is a token every so many milliseconds.
 */
const DELTAS = 10 // with stream-start, response-metadata, text-start, text-end and finish: 15 parts

const base = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'fast' }
const usage = { prompt_tokens: 12, completion_tokens: DELTAS, total_tokens: 12 + DELTAS }
const sse = (body: object): string => `data: ${JSON.stringify({ ...base, ...body })}\n\n`
const delta = (content: string): string => sse({ choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }] })
const end = `${sse({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage })}data: [DONE]\n\n`

const words = Array.from({ length: DELTAS }, (_, index) => `word${index} `)
const fastStream = Buffer.from(words.map(delta).join('') + end)
const fastWhole = Buffer.from(
  JSON.stringify({
    ...base,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: words.join('') }, finish_reason: 'stop' }],
    usage,
  }),
)
const models = JSON.stringify({ object: 'list', data: ['fast', 'paced-10-300'].map((id) => ({ id, object: 'model' })) })
const token = Buffer.from(delta('token '))

function answer(response: ServerResponse, request: { model: string; stream?: boolean }): void {
  if (request.stream !== true) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': fastWhole.byteLength }).end(fastWhole)
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const [, everyMs, tokens] = /^paced-(\d+)-(\d+)$/.exec(request.model) ?? []
  if (everyMs === undefined) response.end(fastStream)
  else pace(response, { everyMs: Number(everyMs), tokens: Number(tokens) })
}

/** Keeps the pace by the clock: a late token does not make the next one late. */
function pace(response: ServerResponse, { everyMs, tokens }: { everyMs: number; tokens: number }): void {
  const startedAt = performance.now()
  let sent = 0
  const next = (): void => {
    if (response.destroyed) return
    if (sent === tokens) {
      response.end(end)
      return
    }
    response.write(token)
    sent += 1
    setTimeout(next, Math.max(0, startedAt + sent * everyMs - performance.now()))
  }
  next()
}

async function bodyOf(incoming: IncomingMessage): Promise<{ model: string; stream?: boolean }> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as { model: string; stream?: boolean }
}

serveRole({
  /** Resolves with the base URL. */
  listen: async () => {
    const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, response) => {
      if (incoming.method !== 'POST') {
        response.writeHead(200, { 'content-type': 'application/json' }).end(models)
        return
      }
      bodyOf(incoming).then(
        (body) => answer(response, body),
        () => response.destroy(),
      )
    })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  },
})
