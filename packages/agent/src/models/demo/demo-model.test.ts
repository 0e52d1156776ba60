import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LanguageModelV4CallOptions, LanguageModelV4Message } from '@ai-sdk/provider'
import { CANCELLED, CONTINUE } from '../../turn/prompt.ts'
import { createDemoModel } from './demo-model.ts'
import { parseRequest } from './request.ts'
import { announce } from './words.ts'

const ALL = ['list_files', 'read_file', 'search_text', 'shell', 'write_file', 'question']
const optionsOf = (prompt: LanguageModelV4Message[], tools = ALL): LanguageModelV4CallOptions => ({
  prompt,
  tools: tools.map((name) => ({ type: 'function', name, inputSchema: { type: 'object' } })),
})
const user = (text: string): LanguageModelV4Message => ({ role: 'user', content: [{ type: 'text', text }] })

/** Plays the loop of a turn: every call gets `result`, until the model only talks. */
async function converse(asked: string, options: { tools?: string[]; result?: (tool: string) => string } = {}) {
  const model = createDemoModel({ wordDelayMs: 0 })
  const prompt = [user(asked)]
  const calls: { tool: string; input: unknown }[] = []
  for (;;) {
    const { content } = await model.doGenerate(optionsOf(prompt, options.tools))
    const call = content.find((part) => part.type === 'tool-call')
    const text = content.find((part) => part.type === 'text')?.text ?? ''
    if (!call) return { calls, text }
    const { toolCallId, toolName } = call
    calls.push({ tool: toolName, input: JSON.parse(call.input) })
    const value = options.result?.(toolName) ?? 'done'
    prompt.push({ role: 'assistant', content: [{ type: 'tool-call', toolCallId, toolName, input: JSON.parse(call.input) }] })
    prompt.push({ role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output: { type: 'text', value } }] })
  }
}

test('does several things in sequence, then tells what came out', async () => {
  const { calls, text } = await converse('List the files, read README.md and run node hello.js, then summarise.', {
    result: (tool) => ({ list_files: 'README.md\nhello.js', read_file: '1\t# Greeter', shell: 'hello\n[exit code 0]' })[tool] ?? '',
  })
  assert.deepEqual(calls, [
    { tool: 'list_files', input: {} },
    { tool: 'read_file', input: { path: 'README.md' } },
    { tool: 'shell', input: { command: 'node hello.js' } },
  ])
  assert.match(text, /no LLM/)
  assert.match(text, /2 files: README\.md, hello\.js/)
  assert.match(text, /# Greeter/)
  assert.match(text, /hello/)
})

const CASES: [prompt: string, actions: unknown[]][] = [
  ['list files', [{ kind: 'list', path: undefined }]],
  ['Please show me the files in src', [{ kind: 'list', path: 'src' }]],
  ['What files are here?', [{ kind: 'list', path: undefined }]],
  [
    'read src/a.ts and b.md',
    [
      { kind: 'read', path: 'src/a.ts' },
      { kind: 'read', path: 'b.md' },
    ],
  ],
  ['search for TODO in src', [{ kind: 'search', pattern: 'TODO', path: 'src' }]],
  ['search the files for "a and list b"', [{ kind: 'search', pattern: 'a and list b', path: undefined }]],
  ['run `npm test; cat x`, then tell me', [{ kind: 'run', command: 'npm test; cat x' }]],
  ['run node -e "console.log(1)"', [{ kind: 'run', command: 'node -e "console.log(1)"' }]],
  ['create notes.txt with one, two and three', [{ kind: 'write', path: 'notes.txt', content: 'one, two and three' }]],
  ['ask me which port to use: 80, 443 or 8080', [{ kind: 'ask', question: 'Which port to use?', choices: ['80', '443', '8080'] }]],
  ['ask what it should be called', [{ kind: 'ask', question: 'What it should be called?', choices: [] }]],
  ['write "hi there" to a.txt', [{ kind: 'write', path: 'a.txt', content: 'hi there' }]],
  [
    'List the files, read src/greet.js, run node --test, then search for TODO and summarise what you found.',
    [
      { kind: 'list', path: undefined },
      { kind: 'read', path: 'src/greet.js' },
      { kind: 'run', command: 'node --test' },
      { kind: 'search', pattern: 'TODO', path: undefined },
    ],
  ],
]
for (const [prompt, actions] of CASES) test(`understands: ${prompt}`, () => assert.deepEqual(parseRequest(prompt).actions, actions))

test('asks, and tells what was answered', async () => {
  const { calls, text } = await converse('ask me which colour: red, "dark blue" or green', {
    result: () => 'The user (alice on laptop) chose: "dark blue"\nand wrote:\n> as the sea',
  })
  assert.deepEqual(calls, [
    { tool: 'question', input: { question: 'Which colour?', choices: [{ label: 'red' }, { label: 'dark blue' }, { label: 'green' }] } },
  ])
  assert.match(text, /"Which colour\?" — The user \(alice on laptop\) chose: "dark blue" and wrote: as the sea/)
})

test('a question that it says ends in its own mark', () => {
  const step = { at: 1, of: 1 }
  assert.equal(announce({ kind: 'ask', question: 'Which colour?', choices: [] }, step), 'Asking you: Which colour?')
  assert.equal(announce({ kind: 'list' }, step), 'Listing the files.')
})

test('takes notes of a cancelled or cut turn for no request', async () => {
  const model = createDemoModel({ wordDelayMs: 0 })
  const noted: LanguageModelV4Message = {
    role: 'user',
    content: [
      { type: 'text', text: CANCELLED },
      { type: 'text', text: 'list the files' },
    ],
  }
  const cut: LanguageModelV4Message[] = [noted, { role: 'assistant', content: [{ type: 'text', text: 'I am' }] }, user(CONTINUE)]
  for (const prompt of [[noted], cut]) {
    const { content } = await model.doGenerate(optionsOf(prompt))
    assert.equal(content.find((part) => part.type === 'tool-call')?.toolName, 'list_files')
    assert.doesNotMatch(JSON.stringify(content), /not understood/)
  }
})

test('says that a tool was not offered, and that it is no LLM when it understands nothing', async () => {
  const without = await converse('list the files and run date', { tools: ['list_files'] })
  assert.deepEqual(without.calls.length, 1)
  assert.match(without.text, /needs the tool shell, which I was not offered/)
  assert.match((await converse('What is love?')).text, /no LLM/)
})

test('a long hostile prompt is answered at once', () => {
  const started = performance.now()
  parseRequest(`search ${' for'.repeat(100_000)}`)
  parseRequest(`create ${'a '.repeat(100_000)}`)
  parseRequest('list,'.repeat(100_000))
  assert.ok(performance.now() - started < 2_000)
})

test('streams words and ends on abort', async () => {
  const controller = new AbortController()
  const { stream } = await createDemoModel({ wordDelayMs: 1 }).doStream({ ...optionsOf([user('hello')]), abortSignal: controller.signal })
  const reader = stream.getReader()
  const seen: string[] = []
  await assert.rejects(async () => {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      seen.push(value.type)
      if (value.type === 'text-delta') controller.abort()
    }
  }, /abort/i)
  assert.deepEqual(seen, ['stream-start', 'text-start', 'text-delta'])
})

test('a hostile prompt costs no more than a plain one', () => {
  for (const text of ['\n'.repeat(3_999) + 'x', 'list ,\n'.repeat(600), `write ${', \t'.repeat(1_300)}x`]) {
    const begun = performance.now()
    parseRequest(text)
    assert.ok(performance.now() - begun < 2_000, JSON.stringify(text.slice(0, 12)))
  }
})

test('a directory without files is said to have none', async () => {
  assert.match((await converse('list the files', { result: () => 'no files' })).text, /^- no files$/m)
})
