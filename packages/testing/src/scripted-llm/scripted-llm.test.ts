import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedLlm } from './scripted-llm.ts'
import { spawnScriptedLlm } from './spawned-llm.ts'

const ask = (url: string, body: object, init: RequestInit = {}) =>
  fetch(`${url}/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'm', stream: true, ...body }), ...init })

const contentOf = (sse: string): string =>
  sse
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => (JSON.parse(event.slice(6)) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? '')
    .join('')

test('a list answers the requests in order, and says when it has no more', async () => {
  await using server = await startScriptedLlm(['one', [{ text: ['t', 'wo'] }]])
  assert.equal(contentOf(await (await ask(server.url, {})).text()), 'one')
  assert.equal(contentOf(await (await ask(server.url, {})).text()), 'two')
  const third = await ask(server.url, {})
  assert.equal(third.status, 500)
  assert.match(await third.text(), /no answer for call 2/)
  assert.equal(server.requests.length, 3)
})

test('a table answers by the last user message and the step after it', async () => {
  await using server = await startScriptedLlm({ apples: ['a0', 'a1'], pears: ['p0'] }, { strict: false })
  const messages = [
    { role: 'user', content: 'pears' },
    { role: 'assistant', content: 'p0' },
    { role: 'user', content: 'now apples' },
    { role: 'assistant', content: 'a0' },
  ]
  assert.equal(contentOf(await (await ask(server.url, { messages })).text()), 'a1')
  assert.equal(contentOf(await (await ask(server.url, { messages: messages.slice(0, 1) })).text()), 'p0')
})

test('a client that leaves is counted, and resolves the request’s aborted', async () => {
  await using server = await startScriptedLlm([[{ text: 'x' }, { fault: 'hang' }]])
  const controller = new AbortController()
  const response = await ask(server.url, {}, { signal: controller.signal })
  const request = await server.request(0)
  controller.abort()
  await request.aborted
  assert.equal(server.aborts, 1)
  await assert.rejects(response.text(), { name: 'AbortError' })
})

test('answers whole where no stream is asked for', async () => {
  await using server = await startScriptedLlm([[{ text: 'hi' }, { tool: 'look', input: { at: 1 } }]])
  const reply = (await (await ask(server.url, { stream: false })).json()) as {
    choices: { message: { content: string; tool_calls: unknown[] } }[]
  }
  assert.equal(reply.choices[0]?.message.content, 'hi')
  assert.equal(reply.choices[0]?.message.tool_calls.length, 1)
})

test('runs as a child process', async () => {
  await using server = await spawnScriptedLlm({ always: 'hello' })
  assert.equal(contentOf(await (await ask(server.url, {})).text()), 'hello')
})

test('a strict server refuses what the strictest servers refuse, and says what it was', async () => {
  await using server = await startScriptedLlm(() => 'taken')
  const refused = await ask(server.url, {
    messages: [
      { role: 'user', content: 'a' },
      { role: 'user', content: 'b' },
    ],
  })
  assert.equal(refused.status, 400)
  assert.match(await refused.text(), /strict server: conversation roles must alternate/)
})
