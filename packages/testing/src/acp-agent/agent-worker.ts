// A small ACP agent for tests, on stdio. Each line of a prompt is a step of its script; see steps.ts.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { Readable, Writable } from 'node:stream'
import { agent, ndJsonStream, RequestError } from '@agentclientprotocol/sdk'
import type { SessionConfigOption, SessionModeState } from '@agentclientprotocol/sdk'
import { runSteps } from './steps.ts'
import type { AgentState } from './steps.ts'

const directory = join(process.env['HOME'] ?? '.', '.acp-agent')
mkdirSync(directory, { recursive: true })
const fileOf = (id: string): string => join(directory, `${id.replace(/\W/g, '')}.json`)

const can = { load: !process.argv.includes('--no-load'), resume: process.argv.includes('--resume') }
const open = new Map<string, AgentState>()

const modes = (state: AgentState): SessionModeState => ({
  currentModeId: state.mode,
  availableModes: ['default', 'plan'].map((id) => ({ id, name: id })),
})
const configOptions = (state: AgentState): SessionConfigOption[] => [
  {
    id: 'llm',
    name: 'Model',
    category: 'model',
    type: 'select',
    currentValue: state.model,
    options: ['small', 'large'].map((value) => ({ value, name: value.toUpperCase() })),
  },
]
const settings = (state: AgentState) => ({ modes: modes(state), configOptions: configOptions(state) })

function stateOf(id: string): AgentState {
  const state = open.get(id)
  if (!state) throw RequestError.sessionNotFound(id)
  return state
}

function restore(id: string, cwd: string): AgentState {
  const prompts = JSON.parse(readFileSync(fileOf(id), 'utf8')) as string[]
  const state: AgentState = { id, cwd, mode: 'default', model: 'small', prompts, cancelled: new AbortController() }
  open.set(id, state)
  return state
}

agent({ name: 'test-agent' })
  .onRequest('initialize', () => ({
    protocolVersion: 1,
    agentCapabilities: {
      loadSession: can.load,
      promptCapabilities: { embeddedContext: true },
      sessionCapabilities: { delete: {}, ...(can.resume && { resume: {} }) },
    },
  }))
  .onRequest('session/prompt', async ({ params, client }) => {
    const state = stateOf(params.sessionId)
    const text = params.prompt.map((block) => (block.type === 'text' ? block.text : `[${block.type}]`)).join('\n')
    state.prompts.push(text)
    writeFileSync(fileOf(state.id), JSON.stringify(state.prompts))
    state.cancelled = new AbortController()
    const stopReason = await runSteps(state, text, client)
    return { stopReason, usage: { inputTokens: 11, outputTokens: 7, totalTokens: 18 } }
  })
  .onRequest('session/new', ({ params }) => {
    const id = crypto.randomUUID()
    const state: AgentState = { id, cwd: params.cwd, mode: 'default', model: 'small', prompts: [], cancelled: new AbortController() }
    open.set(id, state)
    writeFileSync(fileOf(id), '[]')
    writeFileSync(join(directory, 'agent.pid'), String(process.pid))
    return { sessionId: id, ...settings(state) }
  })
  .onRequest('session/load', async ({ params, client }) => {
    const state = restore(params.sessionId, params.cwd)
    writeFileSync(join(directory, 'agent.pid'), String(process.pid))
    for (const prompt of state.prompts) {
      const content = { type: 'text' as const, text: `replayed ${prompt}` }
      await client.notify('session/update', { sessionId: state.id, update: { sessionUpdate: 'agent_message_chunk', content } })
    }
    return settings(state)
  })
  .onRequest('session/resume', ({ params }) => settings(restore(params.sessionId, params.cwd)))
  .onRequest('session/delete', ({ params }) => {
    open.delete(params.sessionId)
    rmSync(fileOf(params.sessionId), { force: true })
    return {}
  })
  .onRequest('session/set_mode', ({ params }) => {
    stateOf(params.sessionId).mode = params.modeId
    return {}
  })
  .onRequest('session/set_config_option', ({ params }) => {
    const state = stateOf(params.sessionId)
    state.model = String(params.value)
    return { configOptions: configOptions(state) }
  })
  .onNotification('session/cancel', ({ params }) => stateOf(params.sessionId).cancelled.abort())
  .connect(ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>))
