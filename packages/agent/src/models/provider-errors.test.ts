import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APICallError } from '@ai-sdk/provider'
import { AppError } from '@qmtcode/protocol'
import { endedEarly, toProviderError } from './provider-errors.ts'
import type { CalledModel } from './provider-errors.ts'

const KEY = 'sk-very-secret'
const CALLED: CalledModel = {
  model: 'rack/big',
  provider: {
    name: 'rack',
    title: 'Rack',
    baseUrl: 'http://rack:1/v1',
    keySource: 'RACK_KEY',
    redact: (text) => text.replaceAll(KEY, '[redacted]'),
  },
}

const api = (given: Partial<ConstructorParameters<typeof APICallError>[0]>): APICallError =>
  new APICallError({ message: `said ${KEY}`, url: 'http://rack:1/v1', requestBodyValues: {}, ...given })
const system = (code: string): Error => Object.assign(new Error('below'), { code })
const named = (name: string, message: string): Error => Object.assign(new Error(message), { name })

/** what was thrown → code, message, hint */
const CASES: Record<string, [unknown, string, RegExp, RegExp?]> = {
  'a refused key': [api({ statusCode: 401 }), 'provider_error', /^Rack refused the key \(status 401\): said/, /comes from RACK_KEY/],
  'a forbidden one': [api({ statusCode: 403 }), 'provider_error', /refused the key \(status 403\)/],
  'no such model': [api({ statusCode: 404 }), 'model_unavailable', /^Rack has no rack\/big/, /base_url is http:\/\/rack:1/],
  'too often': [api({ statusCode: 429, responseHeaders: { 'retry-after': '7' } }), 'rate_limited', /^Rack limits rack\/big/, /7 s/],
  'a broken server': [api({ statusCode: 502 }), 'provider_error', /^Rack failed with status 502/],
  'a body that the package could not parse': [
    api({ statusCode: 400, responseBody: '{"error":"context is full"}' }),
    'provider_error',
    /status 400: context is full$/,
  ],
  'nobody listens': [api({ cause: system('ECONNREFUSED') }), 'provider_error', /cannot reach Rack at .*: connection refused$/, /base_url/],
  'no such host': [api({ cause: system('ENOTFOUND') }), 'provider_error', /: no such host$/],
  'no route': [api({ cause: new Error('x', { cause: system('EHOSTUNREACH') }) }), 'provider_error', /: no route to it$/],
  'every address refuses': [api({ cause: new AggregateError([system('ECONNREFUSED')]) }), 'provider_error', /: connection refused$/],
  'a reason that has no words here': [api({}), 'provider_error', /cannot reach Rack at .*: said \[redacted\]$/],
  'no headers in time': [api({ cause: system('UND_ERR_HEADERS_TIMEOUT') }), 'timeout', /rack\/big was silent for too long/],
  'a socket that closes before an answer': [api({ cause: system('ECONNRESET') }), 'provider_error', /ended early/],
  'silence in the middle': [api({ statusCode: 200, cause: system('UND_ERR_BODY_TIMEOUT') }), 'timeout', /silent/],
  'a cut in the middle': [api({ statusCode: 200, cause: system('UND_ERR_SOCKET') }), 'provider_error', /ended early/],
  'something else in the middle': [api({ statusCode: 200 }), 'provider_error', /^rack\/big failed: said/],
  'an abort': [named('AbortError', 'x'), 'cancelled', /was cancelled/],
  'a part that the model does not take': [named('AI_UnsupportedFunctionalityError', 'no pictures'), 'unsupported', /no pictures/],
  'a prompt that cannot be': [named('AI_InvalidPromptError', 'no messages'), 'bad_request', /no messages/],
  'no key': [named('AI_LoadAPIKeyError', 'set it'), 'model_unavailable', /set it/],
  'a web page instead of a stream': [
    named('AI_JSONParseError', `<html>${'x'.repeat(5_000)}`),
    'provider_error',
    /is no model stream: <html>x{194}$/,
  ],
  'half an answer': [named('AI_InvalidResponseDataError', 'stream without a finish'), 'provider_error', /ended early/],
  'a body that was cut': [named('TypeError', 'terminated'), 'provider_error', /ended early/],
  'our own mistake': [named('TypeError', 'x is not a function'), 'provider_error', /failed: x is not a function/],
  'an event of the stream': [
    { type: 'error', error: { type: 'overloaded_error', message: 'busy' } },
    'provider_error',
    /^rack\/big failed: busy$/,
  ],
  'a limit, as an event': [{ error: { message: 'slow down', code: 'rate_limit_exceeded' } }, 'rate_limited', /slow down/],
  'a status, as an event': [{ statusCode: 404, message: 'gone' }, 'model_unavailable', /gone/],
  'a word': ['out of memory', 'provider_error', /^rack\/big failed: out of memory$/],
  nothing: [undefined, 'provider_error', /no reason given/],
}

for (const [what, [thrown, code, message, hint]] of Object.entries(CASES)) {
  test(`${what}: ${code}, and a sentence that says it`, () => {
    const error = toProviderError(thrown, CALLED)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    if (hint) assert.match(error.hint ?? '', hint)
    assert.ok(!error.message.includes(KEY), error.message)
  })
}

test('what a person needs to act on is in the details: the status, the word of the provider, when to come again', () => {
  const responseBody = JSON.stringify({ error: { code: 'insufficient_quota', message: 'no credit' } })
  const { details } = toProviderError(api({ statusCode: 429, responseBody, responseHeaders: { 'retry-after-ms': '1500' } }), CALLED)
  assert.deepEqual(details, { status: 429, providerCode: 'insufficient_quota', retryAfterMs: 1_500 })
})

test('no message is longer than 500 characters, and a thrown thing without words is no second error', () => {
  const long = `${KEY} ${'x'.repeat(10_000)}`
  const circular: { self?: unknown } = {}
  circular.self = circular
  for (const thrown of [
    api({ statusCode: 500, message: long }),
    new Error(long),
    named('AI_UnsupportedFunctionalityError', long),
    { message: long },
    long,
    circular,
    10n,
  ]) {
    const { message } = toProviderError(thrown, CALLED)
    assert.ok(message.length <= 500 && !message.includes(KEY), `${message.length}: ${message.slice(0, 60)}`)
  }
})

test('an error of ours stays what it is', () => {
  const ours = new AppError('busy', 'full')
  assert.equal(toProviderError(ours, CALLED), ours)
  assert.equal(endedEarly(CALLED, ours).cause, ours)
})
