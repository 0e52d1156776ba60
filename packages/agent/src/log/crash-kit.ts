import process from 'node:process'
import { newPromptId, silentLogger, systemClock } from '@qmtcode/protocol'
import type { AgentSpec } from '@qmtcode/protocol'
import { createTurnScript } from '@qmtcode/testing'
import { createSessions } from '../sessions/local-sessions.ts'
import { createEventLog } from './event-log.ts'
import { createdEvent, note, sessionInit } from './log-kit.ts'

/**
 * The process that crash.test.ts kills: writers of the log and conversations of sessions, for ever.
 * It prints a line for what was acknowledged, after it was: `event SESSION SEQ TEXT .` or `prompt SESSION SEQ PROMPT .`;
 * one without its full stop was cut by the kill.
 */
const [file = '', writers = '8'] = process.argv.slice(2)
const log = createEventLog({ clock: systemClock, logger: silentLogger }, { file })
await log.start()

const tell = (...words: (string | number)[]): boolean => process.stdout.write(`${words.join(' ')} .\n`)

async function write(): Promise<never> {
  const session = sessionInit()
  await log.create(session, createdEvent())
  for (let i = 0; ; i += 1) {
    const [first, second] = await log.append(session.id, [note(`a${i}`), note(`b${i}`)])
    tell('event', session.id, first?.seq ?? 0, `a${i}`)
    tell('event', session.id, second?.seq ?? 0, `b${i}`)
  }
}

async function converse(): Promise<never> {
  const coder: AgentSpec = { id: 'coder', name: '', description: '', kind: 'local', capabilities: [], target: { kind: 'local' } }
  const agents = { get: () => coder, default: () => coder }
  const node = { name: 'crashing' }
  const parts = { log, runTurn: createTurnScript().runTurn, agents, clock: systemClock, logger: silentLogger, node }
  const host = createSessions(parts, { defaultWorkspace: process.cwd() })
  await host.start()
  const sessions = host.as({ node: 'alice' })
  for (;;) {
    const { id } = await sessions.create({})
    for (const words of ['say one', 'say two', 'stick', 'say queued']) {
      const { promptId, seq } = await sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: words }] })
      tell('prompt', id, seq, promptId)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

tell('ready')
await Promise.all([converse(), ...Array.from({ length: Number(writers) }, write)])
