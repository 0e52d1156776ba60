import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isAppError } from '@qmtcode/protocol'
import { createLocalModels } from './local-models.ts'
import type { ProviderKind } from './providers/known-providers.ts'
import { createProviders } from './providers/providers.ts'

/** An answer of each kind of provider, in the two pieces between which a server may be silent. */
const event = (value: { type: string }): string => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const candidate = (text: string, more: object = {}): string =>
  `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text }] }, ...more }] })}\n\n`
const block = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }
const messageStart = { type: 'message_start', message: { id: 'm', model: 'm', role: 'assistant', content: [], usage: { input_tokens: 1 } } }
const text = (words: string): string =>
  event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: words } } as { type: string })
const delta = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } }

const DIALECTS: Record<ProviderKind, { first: string; last: string; alive: string[] }> = {
  'openai-compatible': {
    first: chunk({ role: 'assistant', content: 'one ' }),
    last: `${chunk({ content: 'two' })}${chunk({}, 'stop')}data: [DONE]\n\n`,
    alive: [': working\n\n', chunk({}), chunk({ content: '' }), 'event: ping\ndata: {}\n\n'],
  },
  openai: {
    first: chunk({ role: 'assistant', content: 'one ' }),
    last: `${chunk({ content: 'two' })}${chunk({}, 'stop')}data: [DONE]\n\n`,
    alive: [': working\n\n', chunk({})],
  },
  anthropic: {
    first: `${event(messageStart)}${event(block)}${text('one ')}`,
    last: `${text('two')}${event({ type: 'content_block_stop', index: 0 } as { type: string })}${event(delta)}${event({ type: 'message_stop' })}`,
    alive: [': working\n\n', event({ type: 'ping' })],
  },
  google: { first: candidate('one '), last: candidate('two', { finishReason: 'STOP' }), alive: [': working\n\n'] },
}

const WHERE = ['before the headers', 'before the first token', 'in the middle'] as const
const SILENT_MS = Number(process.env['QMT_SILENT_MS'] ?? 3000)
const EVERY_MS = 75
const SHORT_MS = 1_500
const LONG_MS = SILENT_MS + 20_000

async function silentServer(answer: (response: ServerResponse) => Promise<void>) {
  const server = createServer((request, response) => {
    request.resume()
    answer(response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, [Symbol.asyncDispose]: stop }
}

async function outcome(kind: ProviderKind, silence: { where: (typeof WHERE)[number]; alive?: string; limitMs: number }): Promise<string> {
  const { first, last } = DIALECTS[kind]
  const pause = async (response: ServerResponse): Promise<void> => {
    const end = performance.now() + SILENT_MS
    while (performance.now() < end) {
      if (silence.alive !== undefined) response.write(silence.alive)
      await sleep(EVERY_MS)
    }
  }
  await using server = await silentServer(async (response) => {
    if (silence.where === 'before the headers') await sleep(SILENT_MS)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    if (silence.where === 'before the first token') await pause(response)
    response.write(first)
    if (silence.where === 'in the middle') await pause(response)
    response.end(last)
  })
  const providers = createProviders({ lab: { kind, baseUrl: server.url, apiKey: 'k' } })
  const models = createLocalModels({ providers }, { firstTokenMs: silence.limitMs, idleMs: silence.limitMs })
  let said = ''
  try {
    const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }]
    for await (const part of models.stream({ model: 'lab/m', options: { prompt } })) if (part.type === 'text-delta') said += part.delta
    return said
  } catch (error) {
    return isAppError(error) ? error.code : String(error)
  }
}

test('kind 2: any byte on the wire is life, silence ends by the limit, and a longer limit waits, for every kind of provider', async () => {
  for (const kind of Object.keys(DIALECTS) as ProviderKind[]) {
    const rows = WHERE.flatMap((where) => {
      const alive = where === 'before the headers' ? [] : DIALECTS[kind].alive
      return [
        { silence: { where, limitMs: SHORT_MS }, expected: 'timeout' },
        { silence: { where, limitMs: LONG_MS }, expected: 'one two' },
        ...alive.map((bytes) => ({ silence: { where, alive: bytes, limitMs: SHORT_MS }, expected: 'one two' })),
      ]
    })
    const check = async ({ silence, expected }: (typeof rows)[number]): Promise<void> =>
      assert.equal(await outcome(kind, silence), expected, `${kind}, ${JSON.stringify(silence)}`)
    await Promise.all(rows.map(check))
  }
})

test('kind 2: a process that was stopped reads its socket before anybody is called silent', async () => {
  const { first, last } = DIALECTS['openai-compatible']
  await using server = await silentServer(async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(first)
    for (let at = 0; at < 30; at += 1) {
      response.write(chunk({ content: '.' }))
      await sleep(100)
    }
    response.end(last)
  })
  const script = fileURLToPath(new URL('./silence-reader.ts', import.meta.url))
  const reading = promisify(execFile)(process.execPath, [script, server.url])
  const { child } = reading
  await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()))
  child.kill('SIGSTOP')
  await sleep(2_000)
  child.kill('SIGCONT')
  assert.match((await reading).stdout, /one two$/)
})
