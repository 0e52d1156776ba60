import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { listServerModels } from './list-models.ts'
import type { ListedModel } from './list-models.ts'

/** What a server's answer comes to. */
async function listedFrom(answer: RequestListener, apiKey?: string): Promise<ListedModel[]> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
    return await listServerModels({ name: 'rack', baseUrl, apiKey }, { signal: AbortSignal.timeout(20_000), fetch })
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
const says =
  (body: unknown, status = 200): RequestListener =>
  (_, response) =>
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
const data = (...models: object[]): RequestListener => says({ object: 'list', data: models })

test('each name once, with what its server calls the context', async () => {
  const listed = await listedFrom(
    data(
      { id: 'a', max_model_len: 1 },
      { id: 'b', context_length: 2 },
      { id: 'c', context_window: 3 },
      { id: 'd', meta: { n_ctx: 4 } },
      { id: 'a', max_model_len: 5 },
    ),
  )
  assert.deepEqual(
    listed.map(({ name, contextTokens }) => [name, contextTokens]),
    [
      ['a', 5],
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ],
  )
})

test('a context that is no number is unknown, and the model is there', async () => {
  const listed = await listedFrom(data({ id: 'a', max_model_len: 'much' }, { id: 'b', meta: 7 }, { id: 'c', context_length: -1 }))
  assert.deepEqual(
    listed.map(({ name, contextTokens }) => [name, contextTokens]),
    [
      ['a', undefined],
      ['b', undefined],
      ['c', undefined],
    ],
  )
})

test('the key is sent, where there is one', async () => {
  const seen: (string | undefined)[] = []
  const notes: RequestListener = (request, response) => {
    seen.push(request.headers.authorization)
    response.end('{"data":[]}')
  }
  await listedFrom(notes, 'the-key')
  await listedFrom(notes)
  assert.deepEqual(seen, ['Bearer the-key', undefined])
})

for (const status of [404, 405]) {
  test(`a server without such a path (${status}) has any model`, async () => {
    assert.deepEqual(await listedFrom(says('no', status)), [{ name: '*' }])
  })
}

for (const status of [401, 500]) {
  test(`a refusal (${status}) names the server and the status`, async () => {
    await assert.rejects(listedFrom(says('no', status)), (error: Error & { code?: string; details?: object }) => {
      assert.deepEqual([error.code, error.details], ['provider_error', { status }])
      assert.match(error.message, new RegExp(`^rack at http://127.0.0.1:\\d+/v1 refused to list its models: status ${status}$`))
      return true
    })
  })
}

for (const [what, body] of [
  ['a web page', '<html>'],
  ['nothing', ''],
  ['JSON of another kind', { models: [] }],
  ['a model without a name', { data: [{ id: '' }] }],
  ['a name without end', { data: [{ id: 'x'.repeat(201) }] }],
] as const) {
  test(`${what} is said to be no list of models`, async () => {
    await assert.rejects(listedFrom(says(body)), { code: 'provider_error', message: /answered \/models with something else$/ })
  })
}

test('a list without end is not read to its end', async () => {
  const endless: RequestListener = (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }
  await assert.rejects(listedFrom(endless), { code: 'too_large' })
})

test('of very many models a thousand are taken', async () => {
  assert.equal((await listedFrom(data(...Array.from({ length: 1_500 }, (_, at) => ({ id: `m${at}` }))))).length, 1_000)
})
