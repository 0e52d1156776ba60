import type { Author, DurableEvent, DurableEventInit, PeerId, SessionId } from '@qmtcode/protocol'
import type { QueuedPrompt, SessionRow } from '../log/types.ts'
import type { RunTurn, TurnContext, TurnOutcome } from '../turn/types.ts'

/** A turn that waited for an answer when its node stopped. */
export interface ReopenedTurn {
  turnId: string
  /** All of its events, `turn.started` first. */
  events: readonly DurableEvent[]
}

/** The session's side of a turn. */
export interface TurnHost {
  sessionId: SessionId
  prompt: QueuedPrompt
  runTurn: RunTurn
  /** Writes `turn.started`. */
  start(event: DurableEventInit): Promise<DurableEvent[]>
  append(events: readonly DurableEventInit[]): Promise<DurableEvent[]>
  publish: TurnContext['publish']
  /** What RunTurn is given: with the events up to `seq`, the turn's start. */
  load(seq: number): Promise<{ row: SessionRow; events: DurableEvent[]; agent: TurnContext['agent'] }>
  /** Throws what keeps `author` from it now. */
  assertMay(author: Author, use: 'prompt' | 'answer'): Promise<void>
  /** Writes the last events. */
  end(events: readonly DurableEventInit[], stopReason: TurnOutcome['stopReason']): Promise<void>
  /** Lets go of the turn without an end. */
  leave(): void
  /** The peer that an author is; undefined for this node's own person. */
  guestOf(author: Author): PeerId | undefined
  node: string
  graceMs: number
}
