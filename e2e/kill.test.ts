import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'node:test'
import type { DurableEvent } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Handler } from '@qmtcode/testing'
import { openNodeApi } from './support/node-api.ts'
import { eventsOfType } from './support/output.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine, Running } from './support/qmt.ts'
import { seeded } from './support/seeded.ts'
import { startTalk } from './support/talk.ts'
import type { Talk } from './support/talk.ts'

/** `QMT_KILLS=500 QMT_SEED=7 node --test e2e/kill.test.ts` is the long form. */
const KILLS = Number(process.env['QMT_KILLS'] ?? 20)
const SEED = Number(process.env['QMT_SEED'] ?? 1)
const KILLS_A_ROUND = 20 // then a new home: checks read whole logs
const MAX_EVENTS = 40 // heard before a kill
const MAX_PAUSE_MS = 30 // between the last of them and the kill

/** Each prompt: two commands that leave a line, then an answer in pieces. */
const answer: Handler = ({ messages = [] }) => {
  const nameOf = (content: unknown): string | undefined => JSON.stringify(content)?.match(/prompt-\w+-\d+\./)?.[0]
  const asked = messages.findLastIndex(({ role, content }) => role === 'user' && nameOf(content) !== undefined)
  const name = nameOf(messages[asked]?.content) ?? 'none'
  const results = messages.slice(asked + 1).filter(({ role }) => role === 'tool').length
  if (results < 2) return [{ text: 'now ' }, { tool: 'shell', input: { command: `echo ${name}${results} >> ran.txt` } }]
  return [{ text: ['done ', name.slice(0, 6), name.slice(6)], gapMs: 2 }]
}

test(
  `a node that is killed ${KILLS} times in a conversation loses nothing (seed ${SEED})`,
  { timeout: 60_000 + KILLS * 15_000 },
  async (t) => {
    const random = seeded(SEED)
    const totals = { prompts: 0, events: 0, interrupted: 0 }
    for (let left = KILLS; left > 0; left -= KILLS_A_ROUND) {
      const logs = await runRound(random, Math.min(left, KILLS_A_ROUND))
      totals.prompts += eventsOfType(logs, 'prompt.accepted').length
      totals.events += logs.length
      totals.interrupted += eventsOfType(logs, 'turn.ended').filter(({ stopReason }) => stopReason === 'interrupted').length
    }
    assert.ok(totals.interrupted > 0, 'no kill hit a turn')
    t.diagnostic(`${totals.prompts} prompts, ${totals.events} events, ${totals.interrupted} turns interrupted and resumed, 0 lost`)
  },
)

/** One home, killed again and again; gives the logs of its sessions. */
async function runRound(random: () => number, kills: number): Promise<DurableEvent[]> {
  await using llm = await startScriptedLlm(answer, { record: false })
  await using machine = await createMachine()
  await machine.writeConfig(`[agent]\nmodel = "rack/scripted"\n[mesh]\ndiscovery = "none"\n[providers.rack]\nbase_url = "${llm.url}"\n`)
  const talks: Talk[] = []
  for (let kill = 0; kill < kills; kill += 1) await talkAndKill(machine, talks, random)
  await resumeByCommand(machine, talks)
  await startNode(machine)
  await using api = await openNodeApi(machine)
  await Promise.all(talks.map((talk) => talk.finish(api.sessions)))
  const ran = await linesOf(join(machine.workspace, 'ran.txt'))
  const logs: DurableEvent[] = []
  for (const talk of talks) {
    const events = await talk.check(api.sessions)
    for (const { name, promptId } of talk.prompts) {
      checkTools(events, name, ran)
      checkAnswer(events, name, promptId)
    }
    logs.push(...events)
  }
  return logs
}

async function startNode(machine: Machine): Promise<Running> {
  const node = machine.start(['--headless', '--mesh=/ip4/127.0.0.1/tcp/0'])
  await node.line(/listening: /)
  return node
}

/** Starts the node, looks whether all is there, talks, and kills it after some events and a moment. */
async function talkAndKill(machine: Machine, talks: Talk[], random: () => number): Promise<void> {
  const node = await startNode(machine)
  await using api = await openNodeApi(machine)
  for (const talk of talks) await talk.check(api.sessions)
  while (talks.length < 2) talks.push(await startTalk(api.sessions, { name: String(talks.length), workspace: machine.workspace }))
  const lethal = 1 + Math.floor(random() * MAX_EVENTS)
  const pauseMs = random() * MAX_PAUSE_MS
  let events = 0
  let killed: Promise<unknown> | undefined
  const onEvent = (): void => {
    events += 1
    if (events >= lethal) killed ??= delay(pauseMs).then(() => node.kill('SIGKILL'))
  }
  await Promise.all(talks.map((talk) => talk.talk(api.sessions, onEvent)))
  assert.ok(killed, `the node went away by itself:\n${node.output()}`)
  await killed
}

/** What a person does after a crash: `sessions`, and `sessions resume` for what was interrupted. */
async function resumeByCommand(machine: Machine, talks: readonly Talk[]): Promise<void> {
  const listed = JSON.parse((await machine.run(['sessions', '--json'])).stdout) as { id: string; state: string }[]
  for (const { id, state } of listed) {
    assert.ok(talks.some((talk) => talk.id === id))
    if (state !== 'interrupted') continue
    const { code, stderr } = await machine.run(['sessions', 'resume', id])
    assert.equal(code, 0, stderr)
  }
}

/** What ended well ran once; what was cut ran once or not at all; nothing ran that the log does not tell of. */
function checkTools(events: readonly DurableEvent[], name: string, ran: readonly string[]): void {
  for (const line of [`${name}0`, `${name}1`]) {
    const isIt = ({ input }: { input: unknown }): boolean => (input as { command?: string }).command === `echo ${line} >> ran.txt`
    const started = eventsOfType(events, 'tool.started').filter(isIt).length
    const ended = eventsOfType(events, 'tool.ended').filter(isIt)
    const well = ended.filter(({ isError }) => !isError).length
    const times = ran.filter((one) => one === line).length
    assert.equal(ended.length, started, line)
    assert.ok(well <= times && times <= started, `${line} ran ${times} times; the log has ${started} starts, ${well} of them ended well`)
    assert.ok(started <= 1, `${line} was started ${started} times`)
  }
}

function checkAnswer(events: readonly DurableEvent[], name: string, promptId: string): void {
  const whole = eventsOfType(events, 'message.completed').filter(({ text, partial }) => partial !== true && text === `done ${name}`)
  assert.equal(whole.length, 1, `${name} was answered ${whole.length} times`)
  const ends = eventsOfType(events, 'turn.ended').filter((event) => event.promptId === promptId)
  assert.equal(ends.at(-1)?.stopReason, 'completed')
}

async function linesOf(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
}
