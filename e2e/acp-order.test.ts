// What an editor sends takes effect in the order in which it was sent: generated sequences, each written in one piece, against a model.
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { DurableEvent, Sessions } from '@qmtcode/protocol'
import { serveAcp, stdioStream } from '@qmtcode/server'
import { createTurnScript } from '@qmtcode/testing'
import { seeded } from './support/seeded.ts'
import { startSessionsHost } from './support/sessions-host.ts'

const ROUNDS = 100
const MESSAGES = 14 // of one round
const DEADLINE_MS = 30_000

interface Reply {
  id: number
  result?: { stopReason?: string; sessionId?: string; modes?: { currentModeId: string }; sessions?: { sessionId: string }[] }
  error?: { message: string }
}

/** The other end of a served editor, as bytes. */
function openWire(sessions: Sessions) {
  const input = new PassThrough()
  const output = new PassThrough()
  const components = {
    sessions,
    agents: () => Promise.resolve([]),
    models: () => Promise.resolve([]),
    log: silentLogger,
    clock: systemClock,
  }
  const server = serveAcp(components, { stream: stdioStream(input, output), host: 'local', version: '1.2.3' })
  const waiting = new Map<number, PromiseWithResolvers<Reply>>()
  const lines = createInterface({ input: output })
  lines.on('line', (line) => {
    const reply = JSON.parse(line) as Reply & { method?: string }
    if (reply.method !== undefined) return
    assert.ok(waiting.has(reply.id), `one answer to each request: ${line}`)
    waiting.get(reply.id)?.resolve(reply)
    waiting.delete(reply.id)
  })
  return {
    /** Writes them as one piece. Gives the answers of those that have an id. */
    write: async (messages: readonly Message[]): Promise<Reply[]> => {
      const asked = messages.filter(({ id }) => id !== undefined)
      const replies = asked.map(({ id }) => {
        const reply = Promise.withResolvers<Reply>()
        waiting.set(Number(id), reply)
        return reply.promise
      })
      input.write(messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join(''))
      return await withDeadline(Promise.all(replies), () => `no answer to ${JSON.stringify([...waiting.keys()])}`)
    },
    [Symbol.asyncDispose]: () => server.stop(),
  }
}
interface Message {
  id?: number
  method: string
  params: object
}

async function withDeadline<Value>(promise: Promise<Value>, what: () => string): Promise<Value> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(what())), DEADLINE_MS)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** A prompt as the model of the protocol has it. */
interface Told {
  id: number
  text: string
  mode: string
  stopReason?: 'cancelled' | 'end_turn'
}

const pick = <Value>(random: () => number, all: readonly Value[]): Value => all[Math.floor(random() * all.length)] as Value

/** One session as the protocol has it: what was sent, and what must come of it. */
function createModel(sessionId: string, nextId: () => number) {
  let mode = 'build'
  let open: Told[] = []
  const prompts: Told[] = []
  /** What the log must hold, in this order. */
  const log: string[] = []
  const answers = new Map<number, string>()
  const messages: Message[] = []
  const isBlocked = (): boolean => open.some(({ text }) => text.startsWith('wait'))

  const request = (method: string, params: object, answer: string): void => {
    const id = nextId()
    answers.set(id, answer)
    messages.push({ id, method, params: { sessionId, ...params } })
  }
  const prompt = (verb: 'wait' | 'say'): Told => {
    const told = { id: nextId(), text: '', mode }
    told.text = `${verb} ${told.id}`
    open.push(told)
    prompts.push(told)
    log.push(told.text)
    messages.push({ id: told.id, method: 'session/prompt', params: { sessionId, prompt: [{ type: 'text', text: told.text }] } })
    return told
  }
  /** What does not wait behind another may have ended meanwhile: then whatever ends it comes right behind it. */
  const cancelAll = (): void => {
    if (!isBlocked() && open.length > 0) prompt('say')
    const runs = open.findIndex(({ text }) => text.startsWith('wait'))
    for (const told of runs === -1 ? open.slice(-1) : open.slice(runs)) told.stopReason = 'cancelled'
    open = []
  }
  const setup = { cwd: '/', mcpServers: [] }
  const acts = {
    wait: () => void prompt('wait'),
    say: () => void prompt('say'),
    cancel: () => {
      cancelAll()
      messages.push({ method: 'session/cancel', params: { sessionId } })
    },
    takeBack: () => {
      const told = prompt(isBlocked() ? 'say' : 'wait')
      told.stopReason = 'cancelled'
      open = open.filter((one) => one !== told)
      messages.push({ method: '$/cancel_request', params: { requestId: told.id } })
    },
    plan: () => acts.setMode('plan'),
    build: () => acts.setMode('build'),
    setMode: (wanted: string) => {
      mode = wanted
      log.push(`mode ${wanted}`)
      request('session/set_mode', { modeId: wanted }, '{}')
    },
    option: () => {
      mode = mode === 'plan' ? 'build' : 'plan'
      log.push(`mode ${mode}`)
      request(
        'session/set_config_option',
        { configId: 'mode', value: mode },
        `"mode","name":"Mode","category":"mode","currentValue":"${mode}"`,
      )
    },
    load: () => request('session/load', setup, `"currentModeId":"${mode}"`),
    resume: () => request('session/resume', setup, `"currentModeId":"${mode}"`),
    list: () => request('session/list', {}, sessionId),
    close: () => {
      cancelAll()
      request('session/close', {}, '{}')
    },
    refused: () => request('session/set_mode', { modeId: 'yolo' }, 'expected build or plan'),
  }
  return { acts, prompts, log, answers, messages }
}
type Act = 'wait' | 'say' | 'cancel' | 'takeBack' | 'plan' | 'build' | 'option' | 'load' | 'resume' | 'list' | 'close' | 'refused'
const ACTS: readonly Act[] = [
  ...(['wait', 'wait', 'say', 'say', 'cancel', 'cancel', 'takeBack'] as const),
  ...(['plan', 'build', 'option', 'load', 'resume', 'list', 'close', 'refused'] as const),
]

const shown = (event: DurableEvent): string[] => {
  if (event.type === 'prompt.accepted') return event.content.map((part) => (part.type === 'text' ? part.text : ''))
  return event.type === 'session.configured' ? [`mode ${event.mode}`] : []
}

test('whatever an editor sends, however close together, takes effect in its order; each prompt has its own stop reason', async () => {
  const script = createTurnScript()
  /** By the prompt's text: the mode that its turn ran in. */
  const modes = new Map<string, string>()
  await using host = await startSessionsHost((turn) => {
    const prompt = turn.events.find((event) => event.type === 'prompt.accepted' && event.promptId === turn.promptId)
    if (prompt) modes.set(shown(prompt)[0] ?? '', turn.mode)
    return script.runTurn(turn)
  })
  const sessions = host.as('ann')
  await using wire = openWire(sessions)
  let lastId = 0
  const nextId = (): number => (lastId += 1)
  const begin = { id: nextId(), method: 'initialize', params: { protocolVersion: 1, clientCapabilities: {} } }
  const newSession = (): Message => ({ id: nextId(), method: 'session/new', params: { cwd: host.workspace, mcpServers: [] } })
  const [initialized] = await wire.write([begin, newSession()])
  assert.ok(initialized?.result)

  for (let seed = 1; seed <= ROUNDS; seed += 1) {
    const random = seeded(seed)
    const created = await wire.write([newSession(), newSession()])
    const models = created.map(({ result }) => createModel(result?.sessionId ?? '', nextId))
    const messages: Message[] = []
    for (let count = 0; count < MESSAGES; count += 1) {
      const model = pick(random, models)
      const from = model.messages.length
      model.acts[pick(random, ACTS)]()
      messages.push(...model.messages.slice(from))
    }
    for (const model of models) {
      const from = model.messages.length
      model.acts.cancel()
      model.acts.say()
      messages.push(...model.messages.slice(from))
    }
    const replies = new Map((await wire.write(messages)).map((reply) => [reply.id, reply]))
    const where = `seed ${seed}: ${messages.map(({ method, params }) => `${method} ${JSON.stringify(params)}`).join('\n')}`
    for (const [at, model] of models.entries()) {
      for (const [id, answer] of model.answers) assert.ok(JSON.stringify(replies.get(id)).includes(answer), `${id} ${answer} ${where}`)
      for (const { id, text, stopReason, mode } of model.prompts) {
        const reply = replies.get(id)
        assert.ok(reply?.result?.stopReason !== undefined, `${JSON.stringify(reply)} ${where}`)
        if (stopReason) assert.equal(reply.result.stopReason, stopReason, `${text} ${where}`)
        if (modes.has(text)) assert.equal(modes.get(text), mode, `the mode of ${text} ${where}`)
      }
      const last = model.prompts.at(-1)
      assert.equal(replies.get(last?.id ?? 0)?.result?.stopReason, 'end_turn', where)
      const { items } = await sessions.history(created[at]?.result?.sessionId as never, { limit: 200 })
      assert.deepEqual(items.flatMap(shown), model.log, where)
    }
  }
})
