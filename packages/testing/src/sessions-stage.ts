import { isDurable, newPromptId } from '@qmtcode/protocol'
import type { PromptContent, PromptId, SessionEvent, SessionId, SessionInfo, SessionInit, Sessions } from '@qmtcode/protocol'
import { followUntil } from './sessions-script.ts'
import type { ScriptedRunTurn, SeenEvent, TurnScript } from './sessions-script.ts'

/** A running host of sessions whose turns run `runTurn`. */
export interface SessionsFixture extends AsyncDisposable {
  /** The port as a caller whose name contains `caller` sees it. */
  as(caller: 'alice' | 'bob'): Promise<Sessions>
  /** An existing directory of the host. */
  workspace: string
  /**
   * `peers`: other nodes, for whom the host's rules hold. Deleting and sharing are alice's as the creator; only `edit` may be allowed;
   * an author is a node without a user. Default: the host's own people.
   */
  callers?: 'own' | 'peers'
  /** Stops the host and starts it again over the same log; views from before are of no use after it. */
  restart(): Promise<void>
}

export type SessionsSetup = (runTurn: ScriptedRunTurn) => Promise<SessionsFixture>

export type Scenario = (title: string, run: (stage: Stage) => Promise<void>) => void

export interface Stage {
  fixture: SessionsFixture
  script: TurnScript
  alice: Sessions
  bob: Sessions
  create(init?: SessionInit): Promise<SessionInfo>
}

export async function createStage(fixture: SessionsFixture, script: TurnScript): Promise<Stage> {
  const alice = await fixture.as('alice')
  const bob = await fixture.as('bob')
  return { fixture, script, alice, bob, create: (init = {}) => alice.create({ workspace: fixture.workspace, ...init }) }
}

const text = (value: string): PromptContent => [{ type: 'text', text: value }]
export const tell = (sessions: Sessions, id: SessionId, said: string, promptId: PromptId = newPromptId()) =>
  sessions.prompt(id, { promptId, content: text(said) })

export const is =
  <Type extends SessionEvent['type']>(type: Type, match: Partial<SeenEvent<Type>> = {}) =>
  (event: SessionEvent): event is SeenEvent<Type> =>
    event.type === type && Object.entries(match).every(([key, value]) => (event as unknown as Record<string, unknown>)[key] === value)
export const untilEnd = (sessions: Sessions, id: SessionId, promptId?: PromptId): Promise<SessionEvent[]> =>
  followUntil(sessions, id, promptId === undefined ? is('turn.ended') : is('turn.ended', { promptId }))
export const durable = (events: readonly SessionEvent[]) => events.filter(isDurable)
export const stopReason = (events: readonly SessionEvent[]) => events.findLast(is('turn.ended'))?.stopReason
