import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { isAppError } from '@qmtcode/protocol'
import type { ModelPart } from '@qmtcode/protocol'
import { createLocalModels } from '../local-models.ts'
import { createProviders } from '../providers/providers.ts'

const delta = (fields: object, chunk: object = {}): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: fields, finish_reason: null }], ...chunk })}\n\n`
const HELLO = delta({ content: 'hello' })
const end = (word: string | null, chunk: object = {}): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: word }], ...chunk })}\n\n`
const STOP = `${end('stop')}data: [DONE]\n\n`
const call = (fields: object): string => delta({ tool_calls: [fields] })
const LIST = { index: 0, id: 'c1', type: 'function', function: { name: 'list_files', arguments: '{}' } }
const CALLS = `${end('tool_calls')}data: [DONE]\n\n`

interface Answer {
  bytes: string | Buffer
  type?: string
  status?: number
}

async function callModel({ bytes, type = 'text/event-stream', status = 200 }: Answer): Promise<ModelPart[]> {
  const server = createServer((_, response) => response.writeHead(status, { 'content-type': type }).end(bytes)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const models = createLocalModels({ providers: createProviders({ fake: { baseUrl } }) })
  try {
    const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }]
    const parts: ModelPart[] = []
    for await (const part of models.stream({ model: 'fake/m', options: { prompt } })) parts.push(part)
    return parts
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const joined = (parts: readonly LanguageModelV4StreamPart[], type: 'text-delta' | 'reasoning-delta'): string =>
  parts.map((part) => (part.type === type ? part.delta : '')).join('')
const callsOf = (parts: readonly LanguageModelV4StreamPart[]): string[] =>
  parts.flatMap((part) => (part.type === 'tool-call' ? [`${part.toolName} ${part.input}`] : []))

const ODD_LINES: [title: string, line: string][] = [
  ['another event', 'event: tick\ndata: {"n":1}\n\n'],
  ['a chunk without choices', 'data: {"id":"x"}\n\n'],
  ['choices null', 'data: {"choices":null}\n\n'],
  ['no choice', 'data: {"choices":[]}\n\n'],
  ['null', 'data: null\n\n'],
  ['an empty object', 'data: {}\n\n'],
  ['a number', 'data: 7\n\n'],
  ['a list', 'data: []\n\n'],
  ['an empty data line', 'data:\n\n'],
  ['a comment', ': working\n\n'],
  ['an id and a retry', 'id: 7\nretry: 10\n\n'],
  ['a bad retry', 'retry: soon\n\n'],
  ['an unknown field', 'progress: 7\n\n'],
  ['a line that is nothing', 'hello there\n\n'],
  ['error null', delta({}, { error: null })],
  ['error empty', delta({}, { error: '' })],
  ['a role that is not one', delta({ role: 'bot' })],
  ['role null', delta({ role: null, content: null })],
  ['an id that is a number', delta({}, { id: 12 })],
  ['created as text', delta({}, { created: '1' })],
  ['usage of text', delta({}, { usage: { prompt_tokens: '7', completion_tokens: '1' } })],
  ['usage null', delta({}, { usage: null })],
  ['usage of nothing', delta({}, { usage: {} })],
  ['usage that is negative', delta({}, { usage: { prompt_tokens: -1 } })],
  ['a delta of null', 'data: {"choices":[{"index":0,"delta":null}]}\n\n'],
  ['a choice of null', 'data: {"choices":[null]}\n\n'],
  ['a choice without an index', 'data: {"choices":[{"delta":{"content":""}}]}\n\n'],
  ['tool_calls null', delta({ tool_calls: null })],
  ['tool_calls empty', delta({ tool_calls: [] })],
  ['function_call null', delta({ function_call: null })],
  ['content of no parts', delta({ content: [] })],
  ['logprobs', 'data: {"choices":[{"index":0,"delta":{},"logprobs":{"content":[]}}]}\n\n'],
  ['an empty finish word', end('')],
  ['refusal null', delta({ refusal: null })],
  ['an unknown object', 'data: {"object":"ping"}\n\n'],
]
for (const [title, line] of ODD_LINES) {
  test(`a stream of a real server is understood: ${title}`, async () => {
    for (const bytes of [line + HELLO + STOP, HELLO + line + STOP, delta({ content: 'hel' }) + line + delta({ content: 'lo' }) + STOP]) {
      const parts = await callModel({ bytes })
      assert.equal(joined(parts, 'text-delta'), 'hello')
      assert.equal(parts.at(-1)?.type, 'finish')
    }
  })
}

const WHOLE = {
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
}
const ANSWERS: [title: string, answer: Answer][] = [
  ['a blank behind the end', { bytes: `${HELLO}${end('stop')}data: [DONE] \n\n` }],
  ['no end but a finish', { bytes: HELLO + end('stop') }],
  ['an end but no finish', { bytes: `${HELLO}data: [DONE]\n\n` }],
  ['CRLF', { bytes: (HELLO + STOP).replaceAll('\n', '\r\n') }],
  ['CR', { bytes: (HELLO + STOP).replaceAll('\n', '\r') }],
  ['a byte order mark', { bytes: `\uFEFF${HELLO}${STOP}` }],
  ['no blank after data:', { bytes: (HELLO + STOP).replaceAll('data: ', 'data:') }],
  ['no empty line at the end', { bytes: HELLO + end('stop').trimEnd() }],
  ['several data lines', { bytes: `data: {"choices":[{"delta":\ndata: {"content":"hello"}}]}\n\n${STOP}` }],
  ['content as parts', { bytes: delta({ content: [{ type: 'text', text: 'hello' }] }) + STOP }],
  ['content as one part', { bytes: delta({ content: { type: 'text', text: 'hello' } }) + STOP }],
  ['message in place of delta', { bytes: `data: {"choices":[{"message":{"content":"hello"}}]}\n\n${STOP}` }],
  ['text in place of delta', { bytes: `data: {"choices":[{"text":"hello"}]}\n\n${STOP}` }],
  ['text within the delta', { bytes: delta({ text: 'hello' }) + STOP }],
  ['a whole answer as JSON', { bytes: JSON.stringify(WHOLE), type: 'application/json' }],
  ['a whole answer in the stream', { bytes: `data: ${JSON.stringify(WHOLE)}\n\ndata: [DONE]\n\n` }],
  ['lines of JSON', { bytes: `${HELLO.slice(6)}${end('stop').slice(6)}` }],
  ['another type of content', { bytes: HELLO + STOP, type: 'text/event-stream; charset=utf-8' }],
  ['finish with the last word', { bytes: 'data: {"choices":[{"delta":{"content":"hello"},"finish_reason":"stop"}]}\n\n' }],
]
for (const [title, answer] of ANSWERS) {
  test(`an answer of a real server is understood: ${title}`, async () =>
    assert.equal(joined(await callModel(answer), 'text-delta'), 'hello'))
}

const args = (value: unknown) => ({ ...LIST, function: { name: 'list_files', arguments: value } })
const TOOL_CALLS: [title: string, bytes: string, calls: string[]][] = [
  ['as the format says', call(LIST), ['list_files {}']],
  ['arguments as an empty object', call(args({})), ['list_files {}']],
  ['arguments as an object', call(args({ path: '.' })), ['list_files {"path":"."}']],
  ['arguments null', call(args(null)), ['list_files {}']],
  ['no arguments', call({ index: 0, id: 'c', function: { name: 'list_files' } }), ['list_files {}']],
  ['an id that is a number', call({ ...LIST, id: 12 }), ['list_files {}']],
  ['no id', call({ ...LIST, id: undefined }), ['list_files {}']],
  ['an index that is text', call({ ...LIST, index: '0' }), ['list_files {}']],
  ['no index', call({ ...LIST, index: undefined }), ['list_files {}']],
  [
    'a name in two pieces',
    call({ index: 0, id: 'c1', function: { name: 'list_' } }) + call({ index: 0, function: { name: 'files', arguments: '{}' } }),
    ['list_files {}'],
  ],
  [
    'a name with every piece',
    call({ index: 0, id: 'c1', function: { name: 'list_files', arguments: '{"a"' } }) +
      call({ index: 0, id: 'c1', function: { name: 'list_files', arguments: ':1}' } }),
    ['list_files {"a":1}'],
  ],
  [
    'arguments in pieces without an id',
    call({ ...LIST, function: { name: 'list_files', arguments: '' } }) +
      call({ index: 0, function: { arguments: '{"a":' } }) +
      call({ index: 0, function: { arguments: '1}' } }),
    ['list_files {"a":1}'],
  ],
  ['two calls', call(LIST) + call({ ...LIST, index: 1, id: 'c2' }), ['list_files {}', 'list_files {}']],
  ['two calls in one chunk', delta({ tool_calls: [LIST, { ...LIST, index: 1, id: 'c2' }] }), ['list_files {}', 'list_files {}']],
  ['the same id twice', call(LIST) + call({ ...LIST, index: 1 }), ['list_files {}', 'list_files {}']],
  ['the same index twice', call(LIST) + call({ ...LIST, id: 'c2' }), ['list_files {}', 'list_files {}']],
  ['neither index nor id', call({ function: LIST.function }) + call({ function: LIST.function }), ['list_files {}', 'list_files {}']],
  ['function_call', delta({ function_call: { name: 'list_files', arguments: '{}' } }), ['list_files {}']],
  ['one call that is no list', delta({ tool_calls: LIST }), ['list_files {}']],
]
for (const [title, bytes, calls] of TOOL_CALLS) {
  for (const [how, ending] of [
    ['tool_calls', CALLS],
    ['stop', STOP],
  ] as const) {
    test(`a tool call of a real server runs: ${title}, ended by ${how}`, async () => {
      const parts = await callModel({ bytes: bytes + ending })
      assert.deepEqual(callsOf(parts), calls)
      const ids = parts.flatMap((part) => (part.type === 'tool-call' ? [part.toolCallId] : []))
      assert.equal(new Set(ids).size, ids.length)
      const finish = parts.at(-1)
      assert.equal(finish?.type === 'finish' && finish.finishReason.unified, 'tool-calls')
    })
  }
}

const FAILURES: [title: string, answer: Answer, words: RegExp][] = [
  ['an error as JSON', { bytes: '{"error":{"message":"no slot is free"}}', type: 'application/json' }, /failed: no slot is free$/],
  ['a detail as JSON', { bytes: '{"detail":"no slot is free"}', type: 'application/json' }, /failed: no slot is free$/],
  ['plain text', { bytes: 'model is loading', type: 'text/plain' }, /failed: model is loading$/],
  ['an error in the stream', { bytes: 'data: {"error":{"code":500,"message":"no slot is free"}}\n\n' }, /failed.*: no slot is free$/],
  ['an error event', { bytes: 'event: error\ndata: {"error":"out of memory"}\n\n' }, /failed: out of memory$/],
  ['error as text', { bytes: 'data: {"error":"out of memory"}\n\n' }, /failed: out of memory$/],
  ['an object error', { bytes: 'data: {"object":"error","message":"out of memory","code":400}\n\n' }, /failed: out of memory$/],
  ['plain words', { bytes: 'data: out of memory\n\n' }, /failed: out of memory$/],
  ['an error after a word', { bytes: `${HELLO}data: {"error":"out of memory"}\n\n` }, /failed: out of memory$/],
  ['nothing', { bytes: '' }, /ended early/],
  ['a word and no end', { bytes: HELLO }, /ended early/],
  ['an end alone', { bytes: 'data: [DONE]\n\n' }, /ended early/],
  ['a status with text', { bytes: 'model is loading', type: 'text/plain', status: 503 }, /status 503: model is loading$/],
  ['a status with a detail', { bytes: '{"detail":"bad input"}', type: 'application/json', status: 422 }, /status 422: bad input$/],
  ['a status with a message', { bytes: '{"message":"bad input"}', type: 'application/json', status: 400 }, /status 400: bad input$/],
  ['a status with nothing', { bytes: '', status: 500 }, /status 500/],
]
for (const [title, answer, words] of FAILURES) {
  test(`a failure of a real server is told in its own words: ${title}`, async () => {
    await assert.rejects(callModel(answer), (error) => isAppError(error) && words.test(error.message))
  })
}

const THOUGHTS: [title: string, pieces: string[], text: string, thought: string][] = [
  ['tags in two pieces', ['<th', 'ink>plan</think>It is 4'], 'It is 4', 'plan'],
  ['one character a piece', '<think>plan</think>It is 4'.split(''), 'It is 4', 'plan'],
  ['an unclosed tag', ['<think>plan'], '', 'plan'],
  ['<thinking>', ['<thinking>plan</thinking>\n\nIt is 4'], 'It is 4', 'plan'],
  ['[THINK]', ['[THINK]plan[/THINK]It is 4'], 'It is 4', 'plan'],
  ['a channel', ['<|channel|>analysis<|message|>plan<|end|><|start|>assistant<|channel|>final<|message|>It is 4'], 'It is 4', 'plan'],
  ['a tag that is talked about', ['The tag <think> begins'], 'The tag <think> begins', ''],
  ['a tag in code', ['```html\n<think>\n```'], '```html\n<think>\n```', ''],
  ['what only looks like one', ['<thin', 'g>'], '<thing>', ''],
  ['a comparison', ['<', ' 3'], '< 3', ''],
]
for (const [title, pieces, text, thought] of THOUGHTS) {
  test(`thoughts of a model are thoughts: ${title}`, async () => {
    const parts = await callModel({ bytes: pieces.map((piece) => delta({ content: piece })).join('') + STOP })
    assert.equal(joined(parts, 'text-delta'), text)
    assert.equal(joined(parts, 'reasoning-delta'), thought)
  })
}

for (const field of ['reasoning_content', 'reasoning', 'thinking']) {
  test(`thoughts of a model are thoughts: ${field}`, async () => {
    const parts = await callModel({ bytes: delta({ [field]: 'plan' }) + HELLO + STOP })
    assert.deepEqual([joined(parts, 'reasoning-delta'), joined(parts, 'text-delta')], ['plan', 'hello'])
  })
}

test('text that is cut in the middle of a character is whole', async () => {
  const bytes = Buffer.from(delta({ content: 'grün 🦀' }) + STOP)
  assert.equal(joined(await callModel({ bytes }), 'text-delta'), 'grün 🦀')
})
