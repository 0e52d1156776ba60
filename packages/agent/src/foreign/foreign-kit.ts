import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { newPromptId, silentLogger, systemClock } from '@qmtcode/protocol'
import type { SessionEvent, SessionId, SessionInit, Sessions } from '@qmtcode/protocol'
import { acpAgentCommand, followUntil } from '@qmtcode/testing'
import { createGuestFiles } from '../guest-files/guest-files.ts'
import { createPermissions } from '../permissions/permissions.ts'
import { startSessions } from '../sessions/sessions-kit.ts'
import { createTools } from '../tools/tool-set.ts'
import { createWorkspaceTrust } from '../workspace-trust/workspace-trust.ts'
import { createForeignAgents } from './foreign-agents.ts'
import type { ForeignAgents } from './foreign-agents.ts'

/** For tests: a host of sessions whose one agent is a process that speaks ACP. */
export interface ForeignKit extends AsyncDisposable {
  readonly agents: ForeignAgents
  sessions(): Sessions
  workspace: string
  /** As the person does, of what the workspace brings. */
  trust(): Promise<void>
  create(init?: SessionInit): Promise<SessionId>
  /** Sends a prompt; the events from there on to the first that `isLast`. Default: the end of a turn. */
  ask(id: SessionId, text: string, isLast?: (event: SessionEvent) => boolean): Promise<SessionEvent[]>
  /** Of the process that serves the last session that was opened. */
  pid(): Promise<number>
  /** Stops all and begins again over the same log. */
  restart(): Promise<void>
}

export interface ForeignKitOptions {
  /** Default: the agent of the tests. */
  command?: string[]
  /** Default: a minute. */
  idleMs?: number
}

export const isEnd = ({ type }: SessionEvent): boolean => type === 'turn.ended'
export const isQuestion = ({ type }: SessionEvent): boolean => type === 'permission.requested'

export async function startForeignKit({ command = acpAgentCommand(), idleMs = 60_000 }: ForeignKitOptions = {}): Promise<ForeignKit> {
  const home = await mkdtemp(join(tmpdir(), 'qmt-foreign-'))
  const env = { PATH: process.env['PATH'], HOME: home }
  const trust = createWorkspaceTrust({ home, qmtHome: home })
  const start = (): ForeignAgents =>
    createForeignAgents(
      {
        agents: [{ id: 'coder', command, idleMs }],
        tools: createTools({ env }, { qmtHome: join(home, '.qmt') }),
        permissions: createPermissions(),
        workspaceTrust: trust,
        guestFiles: createGuestFiles({ clock: systemClock, log: silentLogger }, { qmtHome: join(home, '.qmt') }),
        clock: systemClock,
        env,
        log: silentLogger,
        node: 'host',
        version: '1.0.0',
      },
      { forGuests: [], launch: { directory: join(home, '.qmt', 'agents'), workspaces: [], home } },
    )
  let agents = start()
  const kit = await startSessions((turn) => agents.runTurn(turn), { discard: (id) => agents.discard(id) })
  const sessions = (): Sessions => kit.as('alice')
  return {
    get agents() {
      return agents
    },
    sessions,
    workspace: kit.workspace,
    trust: async () => await trust.decide(kit.workspace, (await trust.look(kit.workspace)).files, 'trust'),
    create: async (init) => (await sessions().create(init ?? {})).id,
    ask: async (id, text, isLast = isEnd) => {
      const { seq: after } = await sessions().get(id)
      await sessions().prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text }] })
      return await followUntil(sessions(), id, isLast, { after, deadlineMs: 60_000 })
    },
    pid: async () => Number(await readFile(join(home, '.acp-agent', 'agent.pid'), 'utf8')),
    restart: async () => {
      const last = agents
      agents = start()
      await kit.restart()
      await last.stop()
    },
    [Symbol.asyncDispose]: async () => {
      await kit[Symbol.asyncDispose]()
      await agents.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

type EventOf<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>

export const eventOf = <Type extends SessionEvent['type']>(events: readonly SessionEvent[], type: Type): EventOf<Type> | undefined =>
  events.findLast((event): event is EventOf<Type> => event.type === type)

export const saidIn = (events: readonly SessionEvent[]): string =>
  events.map((event) => (event.type === 'message.completed' ? event.text : '')).join('')
