import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { agent } from '@agentclientprotocol/sdk'
import { boundedLines, guardStream, stdioStream } from './guard-stream.ts'
import { initializeResponse } from './initialize.ts'

const INITIALIZE = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: 1, clientCapabilities: {} } }

interface Reply {
  id: unknown
  result?: unknown
  error?: { code: number; message: string }
}

/** What an agent answers to these lines, until it is done with them. */
async function replies(...lines: (string | object)[]): Promise<Reply[]> {
  const input = new PassThrough()
  const output = new PassThrough()
  const slow = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return { sessions: [] }
  }
  const app = agent()
    .onRequest('initialize', () => initializeResponse('1'))
    .onRequest('session/list', slow)
  const connection = app.connect(guardStream(stdioStream(input, output), { settled: () => Promise.resolve() }))
  for (const line of lines) input.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`)
  input.end()
  await connection.closed
  output.end()
  return (await text(output))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Reply)
}
const codeOf = (all: Reply[], id: unknown): number | undefined => all.find((reply) => reply.id === id)?.error?.code

test('all requests that were read are answered before the end', async () => {
  const list = { jsonrpc: '2.0', id: 2, method: 'session/list', params: {} }
  const all = await replies(INITIALIZE, list)
  assert.ok(
    [1, 2].every((id) => all.some((reply) => reply.id === id && reply.result !== undefined)),
    JSON.stringify(all),
  )
})

const garbage: [string, string | object, unknown, number][] = [
  ['no JSON', 'garbage', null, -32_700],
  ['bytes of no text', '\u0000\u0001\ufffd', null, -32_700],
  ['a batch', [INITIALIZE], null, -32_600],
  ['a number', '42', null, -32_600],
  ['no message', { hello: 'there' }, null, -32_600],
  ['an unknown method', { jsonrpc: '2.0', id: 7, method: 'no/such' }, 7, -32_601],
  ['wrong params', { jsonrpc: '2.0', id: 7, method: 'session/list', params: { cwd: 42, cursor: {} } }, 7, -32_602],
  [
    'a request nested deeply',
    `{"jsonrpc":"2.0","id":7,"method":"session/list","params":${'['.repeat(90_000)}${']'.repeat(90_000)}}`,
    7,
    -32_601,
  ],
  ['anything nested deeply', `{"a":${'['.repeat(90_000)}${']'.repeat(90_000)}}`, null, -32_600],
]
for (const [name, line, id, code] of garbage) {
  test(`${name} is answered with an error, and the next message as usual`, async () => {
    const all = await replies(INITIALIZE, line, { jsonrpc: '2.0', id: 9, method: 'session/list', params: {} })
    assert.equal(codeOf(all, id), code, JSON.stringify(all))
    assert.ok(all.find((reply) => reply.id === 9)?.result)
  })
}

test('a call before initialize is refused', async () => {
  assert.equal(codeOf(await replies({ jsonrpc: '2.0', id: 2, method: 'session/list', params: {} }), 2), -32_600)
})

test('a line is cut at its limit, wherever the chunks end, and the next one is whole', async () => {
  const written = 'short\nmuch too long a line\nend\n'
  for (const size of [1, 3, 7, 100]) {
    const source = new ReadableStream<Uint8Array>({
      start(controller) {
        const bytes = new TextEncoder().encode(written)
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size))
        controller.close()
      },
    })
    assert.equal(await text(source.pipeThrough(boundedLines(8))), 'short\nmuch too\nend\n')
  }
})
