import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ErrorCode, ErrorDetails, PeerInfo, WireError } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Answer, ScriptedLlm } from '@qmtcode/testing'
import { openNodeApi } from './support/node-api.ts'
import type { NodeApi } from './support/node-api.ts'
import { eventsOf, eventsOfType } from './support/output.ts'
import type { Finished, Machine } from './support/qmt.ts'
import { startTwoMachines } from './support/two-machines.ts'
import type { TwoMachines } from './support/two-machines.ts'
import { eventually } from '@qmtcode/testing'

const KEY = 'tangerine-0f9c1d2e-of-the-server' // shaped like no vendor's: only knowing it hides it

const ANSWERS: Record<string, readonly Answer[]> = {
  'refused key': [[{ fault: { status: 401, message: `Incorrect API key provided: ${KEY}`, code: 'invalid_api_key' } }]],
  'too often': [[{ fault: { status: 429, retryAfter: '1', message: 'slow down', code: 'rate_limit_exceeded' } }]],
  'broken server': [[{ fault: { status: 500, message: `trace of ${KEY}: boom` } }]],
  'web page': [[{ fault: 'html' }]],
  'half an answer': [[{ text: ['the answer ', 'is'] }, { fault: 'half' }]],
  'cut connection': [[{ text: ['the answer ', 'is'] }, { fault: 'cut' }]],
  'never begins': [[{ fault: 'hang' }]],
  'falls silent': [[{ text: 'one word' }, { fault: 'hang' }]],
  'all is well': ['the answer is 42'],
}

let llm: ScriptedLlm
let mesh: TwoMachines
let api: NodeApi
before(async () => {
  llm = await startScriptedLlm(ANSWERS)
  mesh = await startTwoMachines({ url: llm.url, apiKey: KEY, server: '[mesh.timeouts]\nfirst_token_secs = 2\nidle_secs = 2\n' })
  api = await openNodeApi(mesh.server)
})
after(async () => {
  await api[Symbol.asyncDispose]()
  await mesh[Symbol.asyncDispose]()
  await llm.stop()
})

const ask = (prompt: string): Promise<Finished> => mesh.laptop.run(['run', '--wait', '20', '--json', '--agent', 'gpu-coder', prompt])

const nothingRuns = (): Promise<boolean> => eventually('the server runs nothing more', async () => (await api.load()).inFlight === 0)

interface Expected {
  prompt: string
  code: ErrorCode
  details?: ErrorDetails
  message: RegExp
  hint: RegExp
  /** Calls after the first, each shown. */
  retries?: number
}

const FAULTS: Expected[] = [
  {
    prompt: 'refused key',
    code: 'provider_error',
    details: { status: 401, providerCode: 'invalid_api_key' },
    message: /refused the key/,
    hint: /the key is gpu-server's/,
  },
  {
    prompt: 'too often',
    code: 'rate_limited',
    details: { status: 429, providerCode: 'rate_limit_exceeded', retryAfterMs: 1_000 },
    message: /slow down/,
    hint: /try again in 1 s/,
    retries: 3,
  },
  {
    prompt: 'broken server',
    code: 'provider_error',
    details: { status: 500, providerCode: 'scripted_error' },
    message: /boom/,
    hint: /gpu-server's/,
    retries: 3,
  },
  { prompt: 'web page', code: 'provider_error', details: { status: 200 }, message: /web page/, hint: /gpu-server's/ },
  { prompt: 'half an answer', code: 'provider_error', message: /ended early/, hint: /gpu-server's/ },
  {
    prompt: 'cut connection',
    code: 'provider_error',
    details: { providerCode: 'UND_ERR_SOCKET' },
    message: /ended early/,
    hint: /gpu-server's/,
  },
  { prompt: 'never begins', code: 'timeout', message: /no first token within 2 s/, hint: /\[mesh\.timeouts\] of gpu-server/ },
  { prompt: 'falls silent', code: 'timeout', message: /went silent.*within 2 s/, hint: /\[mesh\.timeouts\] of gpu-server/ },
]

for (const expected of FAULTS) {
  test(`a model server that fails (${expected.prompt}): one clear error on the laptop, exit 1`, async () => {
    const calls = llm.requests.length
    const { code, stdout, stderr } = await ask(expected.prompt)
    assert.equal(code, 1, stderr)
    const error = endOf(stdout)
    assert.equal(error.code, expected.code)
    assert.deepEqual(error.details, expected.details)
    assert.match(error.message, expected.message)
    assert.match(error.message, /gpu-server/)
    assert.match(error.hint ?? '', expected.hint)
    assert.match(stderr, new RegExp(`error\\[${expected.code}\\]: .*gpu-server`))
    const retries = eventsOfType(eventsOf(stdout), 'model.retry')
    assert.equal(retries.length, expected.retries ?? 0)
    assert.equal(llm.requests.length, calls + 1 + retries.length, 'not asked again behind the user')
    await nothingRuns()
  })
}

/** The error of the one turn that ended. */
function endOf(stdout: string): WireError {
  const ends = eventsOfType(eventsOf(stdout), 'turn.ended')
  assert.deepEqual(
    ends.map(({ stopReason }) => stopReason),
    ['failed'],
  )
  return ends[0]?.error ?? assert.fail('the turn failed without an error')
}

test('what came of a broken answer is kept and marked, never taken for a whole one', async () => {
  const events = eventsOf((await ask('half an answer')).stdout)
  assert.deepEqual(
    eventsOfType(events, 'message.completed').map(({ text, partial }) => [text, partial]),
    [['the answer is', true]],
  )
})

for (const [prompt, begun] of [
  ['never begins', /^\{.*"type":"turn.started"/m],
  ['falls silent', /"text":"one word"/],
] as const) {
  test(`Ctrl-C ends the call at the model server (${prompt}), exit 130`, async () => {
    const running = mesh.laptop.start(['run', '--json', '--agent', 'gpu-coder', prompt])
    const request = await llm.request(llm.requests.length)
    await running.line(begun)
    running.process.kill('SIGINT')
    await request.aborted
    const { code, stdout } = await running.ended
    assert.equal(code, 130)
    assert.deepEqual(
      eventsOfType(eventsOf(stdout), 'turn.ended').map(({ stopReason }) => stopReason),
      ['cancelled'],
    )
    await nothingRuns()
  })
}

test('nodes --json tells that nothing runs on the server', async () => {
  const { code, stdout } = await mesh.server.run(['nodes', '--json'])
  assert.equal(code, 0)
  assert.equal((JSON.parse(stdout) as PeerInfo[]).find(({ self }) => self)?.load.inFlight, 0)
})

test('the person of the server finds in its log what a stranger is not told', async () => {
  const log = await readFile(join(mesh.server.home, 'qmtcode.log'), 'utf8')
  const failures = log.split('\n').filter((line) => line.includes('a model call of a peer failed'))
  assert.ok(failures.length >= FAULTS.length, log)
  assert.ok(failures.some((line) => line.includes('[providers.rack] base_url')))
})

test('the server works on after all that, and its key is nowhere on the laptop or in a log', async () => {
  const { code, stdout, stderr } = await mesh.laptop.run(['run', '--agent', 'gpu-coder', 'all is well'])
  assert.equal(code, 0, stderr)
  assert.equal(stdout, 'the answer is 42\n')
  assert.equal(llm.requests.at(-1)?.headers.authorization, `Bearer ${KEY}`)
  for (const [name, bytes] of await filesOf(mesh.laptop)) assert.ok(!bytes.includes(KEY), `${name} of the laptop holds the key`)
  for (const [name, bytes] of await filesOf(mesh.server)) assert.ok(!bytes.includes(KEY), `${name} of the server holds the key`)
  assert.ok(!mesh.node.output().includes(KEY))
})

async function filesOf({ home }: Machine): Promise<[string, Buffer][]> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  assert.ok(files.some((file) => file.endsWith('sessions.db')))
  return await Promise.all(files.map(async (file): Promise<[string, Buffer]> => [file, await readFile(file)]))
}
