import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newMessageId, newSessionId, silentLogger, systemClock } from '@qmtcode/protocol'
import { createEventLog } from './event-log.ts'
import type { EventLog, EventLogOptions, EventOf, NewSession } from './types.ts'

/** Test kit: a log in a directory of its own, both gone at the end. */
export async function openLog(options: Partial<EventLogOptions> = {}): Promise<{ log: EventLog; file: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'qmt-log-'))
  const file = options.file ?? join(directory, 'sessions.db')
  const log = createEventLog({ clock: systemClock, logger: silentLogger }, { ...options, file })
  await log.start()
  return {
    log,
    file,
    [Symbol.asyncDispose]: async () => {
      await log.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export const sessionInit = (): NewSession => ({ id: newSessionId(), private: false, unattended: false, mode: 'build', allow: [] })

export const createdEvent = (init: Partial<EventOf<'session.created'>> = {}): EventOf<'session.created'> => ({
  type: 'session.created',
  agent: 'coder',
  workspace: '/tmp',
  author: { node: 'test' },
  ...init,
})

/** The plainest event that has a text. */
export const note = (text: string): EventOf<'message.completed'> => ({
  type: 'message.completed',
  turnId: 'turn_test',
  messageId: newMessageId(),
  role: 'assistant',
  text,
  content: [{ type: 'text', text }],
})
