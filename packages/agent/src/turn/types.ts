import type {
  AgentSpec,
  Author,
  DurableEvent,
  DurableEventInit,
  Json,
  LiveEventInit,
  ModelCallOptions,
  ModelPart,
  PeerId,
  PermissionAnswer,
  PromptId,
  QuestionChoice,
  QuestionReply,
  SessionId,
  StopReason,
  Usage,
  WireError,
} from '@qmtcode/protocol'

/** One turn as a session hands it to the loop: what happened so far, where to write, whom to ask. */
export interface TurnContext {
  sessionId: SessionId
  turnId: string
  promptId: PromptId
  agent: AgentSpec
  /** The session's own choice over the agent's, `provider/model`. */
  model?: string
  mode: 'build' | 'plan'
  /** Absolute directory. */
  workspace: string
  /** Who wrote the prompt. */
  author: Author
  /** The peer on whose behalf this turn runs: the prompt's author, or the session's creator. Absent: this node's own person. */
  guest?: PeerId
  /** Whether an author is another node's. Words of such authors lower the rights of a turn that reads them. */
  isGuest(author: Author): boolean
  /** Tool permissions the session was created with, over the configuration's. */
  allow: readonly string[]
  /**
   * The whole log, this turn's `turn.started` last. A resumed turn finds its earlier steps in it;
   * one that waited for an answer when its node stopped, its own as well: it goes on with the calls that have no end.
   */
  events: readonly DurableEvent[]
  /** Resolves when the event is on disk. */
  append(event: DurableEventInit): Promise<DurableEvent>
  publish(event: LiveEventInit): void
  /**
   * Asks whoever may answer and waits, durably; `deny` with a reason where nobody can. Aborts with the turn.
   * `needs` are the words of `--allow` that would have made the question needless; what is `reserved` only this node's person may allow.
   */
  ask(request: {
    callId: string
    tool: string
    input: Json
    summary: string
    needs?: string[]
    reserved?: boolean
  }): Promise<{ answer: PermissionAnswer; by?: Author; reason?: string }>
  /** As `ask`, with a question of the model. A call that asked it before the node's stop waits on, and asks nothing anew. */
  question(question: {
    callId: string
    text: string
    choices: QuestionChoice[]
    multiple: boolean
    freeText: boolean
  }): Promise<QuestionOutcome>
  /** Before each call of a model or a tool: throws when the prompt may not run any more, and aborts the turn. */
  assertAllowed(): Promise<void>
  /** Whether an answer of this author counts now. */
  mayAnswer(by: Author): Promise<boolean>
  signal: AbortSignal
}

/** Without a `reply`, nobody answered, for `reason`. */
export interface QuestionOutcome {
  reply?: QuestionReply
  by?: Author
  reason?: string
}

export interface TurnOutcome {
  stopReason: StopReason
  usage: Usage
  error?: WireError
}

/** Runs a turn to its end. Never throws for what a model or a tool does: that is the outcome. */
export type RunTurn = (turn: TurnContext) => Promise<TurnOutcome>

/** Where a model call goes, and why: the data of `route.chosen`. */
export interface ChosenRoute {
  agentId: string
  /** `provider/model`. */
  model: string
  /** Node name. */
  node: string
  peerId?: PeerId
  reason: string
  tried: { node: string; peerId?: PeerId; error: string }[]
}

export interface RoutedCall {
  agent: AgentSpec
  model?: string
  options: ModelCallOptions
  sessionId: SessionId
  /** Peer ids the request has passed; for calls made on behalf of a peer. */
  origin?: string[]
  signal: AbortSignal
  /** Told of a new route, before its first part: the settled one failed before anything of its answer came. */
  onRoute?(route: ChosenRoute): Promise<void>
  /** Told when the link to where the call runs breaks, and when it is back and the answer goes on. */
  onLink?(event: Extract<LiveEventInit, { type: 'link.lost' | 'link.restored' }>): void
}

export interface Router {
  /** Resolves when the route is settled. Throws peer_unreachable, model_unavailable, not_admitted, forbidden, ambiguous, not_found: with what to do. */
  open(call: RoutedCall): Promise<{ route: ChosenRoute; parts: AsyncIterable<ModelPart> }>
  /** How much the context of a route's model holds; undefined where that is not told, or not within a second. */
  contextTokens?(route: Pick<ChosenRoute, 'model' | 'peerId'>): Promise<number | undefined>
}
