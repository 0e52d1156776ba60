import { AppError, newPromptId } from '@qmtcode/protocol'
import type { PromptId, SessionAnswer, SessionEvent, SessionId, SessionInfo, SessionInit, Sessions } from '@qmtcode/protocol'
import { readMentions } from '../commands/mentions.ts'

const SHOWN_EVENTS = 200 // enough to see what a session is about; all of them: attach --no-follow

/** Where a chat begins to show a session that is there: its last events. */
export const recentSeq = ({ seq }: Pick<SessionInfo, 'seq'>): number => Math.max(0, seq - SHOWN_EVENTS)

/** The session that a chat is about: begun with its first prompt, followed until another one takes its place. */
export interface Conversation {
  readonly id: SessionId | undefined
  /** Of the last event that was shown. */
  readonly lastSeq: number
  /** What the next session begins with. */
  readonly init: SessionInit
  /** Goes on with a session that is there, and follows it from event `after` on. */
  attach(session: { id: SessionId; after: number }): void
  /** A turn runs or waits. */
  busy(): boolean
  /** How many prompts wait behind what runs, of everybody. */
  waiting(): number
  /** The session's id; begins it where there is none yet. */
  begun(): Promise<SessionId>
  /** Resolves when the prompt is durable, with its place in the queue. Files that it names are read from the host. */
  prompt(text: string): Promise<number>
  answer(answer: SessionAnswer): Promise<void>
  cancel(): Promise<void>
  /** Ends what was prompted here and has not ended: what runs, and what waits. */
  cancelOurs(): Promise<void>
  /** Of the session, and of those that are begun after it. */
  choose(change: { model?: string; mode?: 'build' | 'plan' }): Promise<void>
  /** The next prompt begins a new session; what runs in the old one goes on. */
  reset(change?: SessionInit): void
  /** Whether a prompt was written here. */
  isOurs(promptId: PromptId): boolean
  stop(): Promise<void>
}

export interface ConversationListeners {
  onEvent(event: SessionEvent): void
  /** The events ended though nobody asked: the next prompt follows again. */
  onLost(error: unknown): void
  /** A line for the person. */
  onNotice(line: string): void
}

interface Current {
  id: SessionId
  lastSeq: number
  stop: AbortController
  /** Absent: not followed right now. */
  following?: Promise<void>
}

export function createConversation(sessions: Sessions, first: SessionInit, listeners: ConversationListeners): Conversation {
  let init = first
  let current: Current | undefined
  let running = false
  const ours = new Set<PromptId>()
  const waiting = new Set<PromptId>()
  const queued = new Set<PromptId>()
  const left = new Set<Promise<void>>()

  const track = (event: SessionEvent): void => {
    if (event.type === 'prompt.accepted' && event.position > 0) queued.add(event.promptId)
    if (event.type === 'turn.started' || event.type === 'prompt.withdrawn') queued.delete(event.promptId)
    if (event.type === 'turn.started') running = true
    if (event.type === 'turn.ended') running = false
    if (event.type === 'turn.ended' || event.type === 'prompt.withdrawn') waiting.delete(event.promptId)
  }
  const follow = async (session: Current): Promise<void> => {
    const { id, stop } = session
    try {
      for await (const event of sessions.follow(id, { after: session.lastSeq, signal: stop.signal })) {
        if ('seq' in event) session.lastSeq = event.seq
        if (stop.signal.aborted) return
        track(event)
        listeners.onEvent(event)
      }
      if (!stop.signal.aborted) throw new AppError('link_lost', `the events of ${id} ended`)
    } catch (error) {
      session.following = undefined
      if (!stop.signal.aborted) listeners.onLost(error)
    }
  }
  const open = async (): Promise<Current> => {
    current ??= { id: (await sessions.create(init)).id, lastSeq: 0, stop: new AbortController() }
    current.following ??= follow(current)
    return current
  }
  const leave = () => {
    current?.stop.abort()
    if (current?.following) left.add(current.following)
    current = undefined
    running = false
    waiting.clear()
    queued.clear()
  }

  return {
    get id() {
      return current?.id
    },
    get lastSeq() {
      return current?.lastSeq ?? 0
    },
    get init() {
      return init
    },
    attach: ({ id, after }) => {
      leave()
      current = { id, lastSeq: after, stop: new AbortController() }
      current.following = follow(current)
    },
    begun: async () => (await open()).id,
    busy: () => running || waiting.size > 0,
    waiting: () => queued.size,
    prompt: async (text) => {
      const { id } = await open()
      const { content, notices } = await readMentions(sessions, id, text)
      for (const notice of notices) listeners.onNotice(notice)
      const promptId = newPromptId()
      ours.add(promptId)
      waiting.add(promptId)
      try {
        return (await sessions.prompt(id, { promptId, content })).position
      } catch (error) {
        waiting.delete(promptId)
        throw error
      }
    },
    answer: async (answer) => {
      if (current) await sessions.answer(current.id, answer)
    },
    cancel: async () => {
      if (current) await sessions.cancel(current.id)
    },
    cancelOurs: async () => {
      const id = current?.id
      if (id !== undefined) await Promise.all([...waiting].map((promptId) => sessions.cancel(id, promptId)))
    },
    choose: async (change) => {
      if (current) await sessions.configure(current.id, change)
      init = { ...init, ...change }
    },
    reset: (change) => {
      init = { ...init, ...change }
      leave()
    },
    isOurs: (promptId) => ours.has(promptId),
    stop: async () => {
      leave()
      await Promise.all(left)
    },
  }
}
