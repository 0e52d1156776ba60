import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import type { AgentContext, RequestPermissionResponse, SessionUpdate, StopReason, ToolKind } from '@agentclientprotocol/sdk'

export interface AgentState {
  id: string
  cwd: string
  mode: string
  model: string
  /** All it was sent, in order. */
  prompts: string[]
  cancelled: AbortController
}

interface Step {
  state: AgentState
  client: AgentContext
  rest: string
  update(update: SessionUpdate): Promise<void>
  say(text: string): Promise<void>
}

/** The steps of a script, by their first word; a line of any other is passed over. */
const STEPS: Record<string, (step: Step) => Promise<void>> = {
  say: ({ rest, say }) => say(`${rest}\n`),
  think: ({ rest, update }) => update({ sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text: rest } }),
  plan: ({ update }) =>
    update({
      sessionUpdate: 'plan',
      entries: [
        { content: 'look', priority: 'high', status: 'completed' },
        { content: 'change', priority: 'low', status: 'pending' },
      ],
    }),
  /** Asks, and leaves a line in ran.txt. */
  run: (step) =>
    call(step, { kind: 'execute', input: { command: step.rest } }, () => appendFileSync(join(step.state.cwd, 'ran.txt'), `${step.rest}\n`)),
  /** The same, of a kind that says nothing. */
  odd: (step) =>
    call(step, { kind: 'other', input: { thing: step.rest } }, () => appendFileSync(join(step.state.cwd, 'ran.txt'), `${step.rest}\n`)),
  /** Asks, and writes through the client. */
  edit: async (step) => {
    const [path, text] = split(step.rest)
    const input = { file_path: join(step.state.cwd, path), text }
    await call(step, { kind: 'edit', input, diff: { path: input.file_path, oldText: 'old\n', newText: `${text}\n` } }, () =>
      step.client.request('fs/write_text_file', { sessionId: step.state.id, path: input.file_path, content: `${text}\n` }),
    )
  },
  /** Writes through the client, and asks nobody. */
  write: async ({ state, client, rest, say }) => {
    const [path, text] = split(rest)
    await told(say, client.request('fs/write_text_file', { sessionId: state.id, path: join(state.cwd, path), content: text }))
  },
  read: async ({ state, client, rest, say }) => {
    const path = rest.startsWith('/') ? rest : join(state.cwd, rest)
    await told(
      say,
      client.request('fs/read_text_file', { sessionId: state.id, path }).then(({ content }) => content),
    )
  },
  terminal: ({ state, client, say }) => told(say, client.createTerminal({ sessionId: state.id, command: 'id' })),
  slow: async ({ state, rest, say }) => {
    for (let at = 0; at < Number(rest); at += 1) {
      if (state.cancelled.signal.aborted) return
      await say(`word${at} `)
      await delay(20)
    }
  },
  /** Until it is cancelled. */
  wait: async ({ state, say }) => {
    await say('waiting ')
    while (!state.cancelled.signal.aborted) await delay(10)
  },
  /** For good, also when it is cancelled. */
  hang: async ({ say }) => {
    await say('hanging ')
    await new Promise(() => setInterval(() => {}, 1_000))
  },
  crash: async ({ say }) => {
    await say('about to crash ')
    process.stderr.write('the agent lost its mind\n')
    process.exit(3)
  },
  garbage: async () => {
    for (let line = 0; line < 200; line += 1) process.stdout.write(`garbage ${line}\n`)
    await new Promise(() => setInterval(() => {}, 1_000))
  },
  junk: async () => {
    process.stdout.write('a stray print\n')
  },
  endless: async () => {
    const piece = 'x'.repeat(1_048_576)
    for (let at = 0; at < 34; at += 1) process.stdout.write(piece)
    await new Promise(() => setInterval(() => {}, 1_000))
  },
  context: ({ rest, update }) => update({ sessionUpdate: 'usage_update', used: Number(rest), size: 200_000 }),
  recall: ({ state, say }) => say(JSON.stringify(state.prompts)),
  settings: ({ state, say }) => say(`model ${state.model}, mode ${state.mode}\n`),
  env: ({ rest, say }) => say(`${rest}=${process.env[rest] ?? ''}\n`),
}

export async function runSteps(state: AgentState, script: string, client: AgentContext): Promise<StopReason> {
  const update: Step['update'] = (update) => client.notify('session/update', { sessionId: state.id, update })
  const say = (text: string): Promise<void> => update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } })
  for (const line of script.split('\n')) {
    const [word, rest] = split(line.trim())
    await STEPS[word]?.({ state, client, rest, update, say })
    if (state.cancelled.signal.aborted) return 'cancelled'
  }
  return 'end_turn'
}

let calls = 0

/** A tool call with its permission request. */
async function call(
  { state, client, update, say }: Step,
  { kind, input, diff }: { kind: ToolKind; input: object; diff?: { path: string; oldText: string; newText: string } },
  work: () => unknown,
): Promise<void> {
  calls += 1
  const toolCallId = `tool-${process.pid}-${calls}`
  const title = `${kind} ${JSON.stringify(input)}`
  const content = diff ? [{ type: 'diff' as const, ...diff }] : []
  await update({ sessionUpdate: 'tool_call', toolCallId, title, kind, status: 'pending', rawInput: input, content })
  const { outcome } = await client.request('session/request_permission', {
    sessionId: state.id,
    toolCall: { toolCallId },
    options: [
      { optionId: 'yes', name: 'Yes', kind: 'allow_once' },
      { optionId: 'always', name: 'Always', kind: 'allow_always' },
      { optionId: 'no', name: 'No', kind: 'reject_once' },
    ],
  })
  const answer = nameOf(outcome)
  if (answer === 'yes') await work()
  await update({
    sessionUpdate: 'tool_call_update',
    toolCallId,
    status: answer === 'yes' ? 'completed' : 'failed',
    rawOutput: `answer ${answer}`,
  })
  await say(`answer ${answer}\n`)
}

const nameOf = (outcome: RequestPermissionResponse['outcome']): string => (outcome.outcome === 'selected' ? outcome.optionId : 'cancelled')

async function told(say: (text: string) => Promise<void>, work: Promise<unknown>): Promise<void> {
  const text = await work.then(
    (value) => (typeof value === 'string' ? value : 'done'),
    (error: unknown) => `refused: ${error instanceof Error ? error.message : String(error)}`,
  )
  await say(`${text}\n`)
}

function split(line: string): [string, string] {
  const at = line.indexOf(' ')
  return at === -1 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)]
}
