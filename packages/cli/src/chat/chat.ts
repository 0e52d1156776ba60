import { setTimeout as delay } from 'node:timers/promises'
import type { SessionEvent, SessionId, SessionInit, Sessions } from '@qmtcode/protocol'
import { withNode } from '../commands/context.ts'
import type { CommandContext } from '../commands/context.ts'
import { watchPeers, watchReserved } from '../commands/serve.ts'
import { askAboutWorkspace } from '../commands/workspace-question.ts'
import { placeOfAgent } from '../node/agent-place.ts'
import type { NodeHandle } from '../node-handle.ts'
import { errorLines } from '../output/errors.ts'
import { startLines } from '../output/mesh-lines.ts'
import { printableLine } from '../output/printable.ts'
import { createAdmissions } from './admission-question.ts'
import { createCancelKey } from './cancel-key.ts'
import type { CancelKey } from './cancel-key.ts'
import { completePath } from './complete-path.ts'
import { createConversation } from './conversation.ts'
import type { Conversation } from './conversation.ts'
import { createEventPrinter } from './event-printer.ts'
import { createLineQueue } from './line-queue.ts'
import type { LineQueue } from './line-queue.ts'
import { createPlainTerminal } from './plain-terminal.ts'
import { createQuestions } from './questions.ts'
import type { Questions } from './questions.ts'
import type { TypedLine } from './pasted-text.ts'
import { shellLineRefusal } from './shell-line.ts'
import { slash } from './slash.ts'
import type { SlashContext } from './slash.ts'
import { createChatTerminal } from './terminal.ts'
import type { ChatTerminal } from './terminal.ts'

/** What the person said of the sessions to begin. */
export type ChatInit = Pick<SessionInit, 'agent' | 'model'>

/** A conversation, line by line, on a terminal. Ends with /quit, Ctrl-D (0) or a second Ctrl-C (130). */
export async function chat(context: CommandContext, init: ChatInit = {}): Promise<number> {
  return await withNode(context, {}, async (node) => {
    const { out, outStyle, components } = context
    const { defaultModel, ...status } = await node.status()
    for (const line of startLines(init.model === undefined ? { ...status, defaultModel } : status)) out.say(outStyle.dim(line))
    if (init.model !== undefined) out.line(outStyle.dim(`model: ${printableLine(init.model)}`))
    out.say(outStyle.dim(`${printableLine(components.cwd)} · /help, Ctrl-D to leave`))
    await askAboutWorkspace(context, { workspaces: node.workspaces, directory: components.cwd })
    const { sessions, host, init: begun } = await placeOfAgent(node, { workspace: components.cwd, agent: init.agent })
    return await converse(context, node, { sessions, node: host, init: { ...init, ...begun } })
  })
}

/** How long a host may take to hear that its turn is not wanted any more. */
const CANCEL_GRACE_MS = 2_000

export interface ChatSubject {
  /** Of the host. */
  sessions: Sessions
  /** What new sessions begin with. */
  init: SessionInit
  /** A session that is there; absent: the first prompt begins one. */
  attached?: { id: SessionId; after: number }
  /** Whose sessions, as the person named it; absent: this node's. */
  node?: string
  /** Hears where the person left the session that the chat is about by then. */
  onLeft?(left: { id: SessionId; seq: number }): Promise<void>
}

/** Until the person leaves; returns the exit code. */
export async function converse(context: CommandContext, node: NodeHandle, subject: ChatSubject): Promise<number> {
  const { components, outStyle: style } = context
  const { peerId: self } = await node.status()
  const { promise: ended, resolve: end } = Promise.withResolvers<number>()
  const stop = new AbortController()
  const openTerminal = components.env['TERM'] === 'dumb' ? createPlainTerminal : createChatTerminal
  const terminal = openTerminal(
    { input: components.stdin, output: components.stdout },
    {
      onLine: (line) => {
        takeLine(line, chat)
        questions.rest()
      },
      onPaste: (shown) => {
        const isKept = questions.keepPaste(shown)
        if (isKept) terminal.print(style.dim('what you pasted is kept for your next prompt'))
        return isKept
      },
      onInterrupt: () => {
        cancelKey.press()
        questions.rest() // it may have emptied the line
      },
      onEnd: () => end(0),
      onGone: () => hangUp(),
      complete: (line) =>
        completePath(line, {
          sessions: subject.sessions,
          session: () => conversation.begun(),
          show: (text) => terminal.print(style.dim(text)),
        }),
    },
  )
  const onError = (error: unknown) => terminal.print(errorLines(error, style).join('\n'))
  const prompt = (): string => `${style.dim(workText(conversation))}${style.bold('› ')}`
  const questions = createQuestions(terminal, { prompt, paint: style.yellow, hasInputLine: true })
  const showEvent = createEventPrinter({
    terminal,
    questions,
    style,
    isHost: subject.sessions === node.sessions,
    isOurs: (promptId) => conversation.isOurs(promptId),
    isSelf: (author) => author.peerId === self,
    answer: (given) => conversation.answer(given),
  })
  const onEvent = (event: SessionEvent): void => {
    if (event.type === 'turn.started') cancelKey.disarm() // what was cancelled is over: the next press is for this one
    showEvent(event)
  }
  const conversation = createConversation(subject.sessions, subject.init, {
    onEvent,
    onLost: onError,
    onNotice: (line) => terminal.print(style.dim(line)),
  })
  const cancelKey = createCancelKey({
    conversation,
    terminal,
    say: (text) => terminal.print(style.yellow(text)),
    quit: () => end(130),
    onError,
  })
  const askToAdmit = node.trust && createAdmissions({ trust: node.trust, questions, print: terminal.print })
  const lines = createLineQueue(onError)
  const chat = { context, node, sessions: subject.sessions, conversation, questions, terminal, cancelKey, lines, quit: () => end(0) }

  /** A window that is closed ends what was asked for in it; Ctrl-D leaves it running. */
  const hangUp = (): void => {
    Promise.race([conversation.cancelOurs(), delay(CANCEL_GRACE_MS)])
      .catch(() => {}) // nobody is there to read why
      .finally(() => end(0))
  }
  using _ = context.interrupts.handle((signal) => {
    if (signal === 'SIGINT') return cancelKey.press()
    return signal === 'SIGHUP' ? hangUp() : end(130)
  })
  terminal.setPrompt(prompt())
  if (subject.attached) conversation.attach(subject.attached)
  const watching = watchPeers(node, stop.signal, (line, event) => {
    terminal.print(style.dim(line))
    askToAdmit?.(event)
  }).catch(onError)
  const reserved = watchReserved(node, stop.signal, (line, { question }) => {
    if (subject.sessions !== node.sessions || question.sessionId !== conversation.id) terminal.print(style.yellow(line)) // else it is asked here
  }).catch(onError)
  try {
    return await ended
  } finally {
    stop.abort()
    lines.stop()
    terminal.close()
    if (conversation.id !== undefined) await subject.onLeft?.({ id: conversation.id, seq: conversation.lastSeq })
    if (conversation.id !== undefined) context.out.say(style.dim(`to go on: qmtcode attach ${placeOf(subject, conversation.id)}`))
    await Promise.all([watching, reserved, conversation.stop()])
  }
}

/** What stands before the cursor of what runs and waits. */
function workText(conversation: Conversation): string {
  const waiting = conversation.waiting()
  const queue = waiting === 0 ? '' : `${waiting} wait${waiting === 1 ? 's' : ''} (/queue)`
  const words = [conversation.busy() ? 'working' : '', queue].filter((word) => word !== '')
  return words.length === 0 ? '' : `${words.join(', ')} `
}

const placeOf = ({ node }: ChatSubject, id: SessionId): string => (node === undefined ? id : `${printableLine(node)}/${id}`)

interface Chat {
  context: CommandContext
  node: NodeHandle
  sessions: Sessions
  conversation: Conversation
  questions: Questions
  terminal: ChatTerminal
  cancelKey: CancelKey
  lines: LineQueue
  quit(): void
}

/** A line is the answer to the question that is shown as it is typed, a command, or a prompt. */
function takeLine(line: TypedLine, chat: Chat): void {
  const { questions, lines } = chat
  chat.cancelKey.disarm()
  if (questions.pending()) {
    const answer = questions.answer(line)
    if (answer) lines.add(answer)
    return
  }
  if (line.text.trim() === '') return
  lines.add(isCommand(line) ? () => slash(line.text, commandsOf(chat)) : () => prompt(line.text, chat))
}

/** What is pasted is a prompt, whatever it begins with. */
const isCommand = ({ text, isPasted }: TypedLine): boolean => text.startsWith('/') && !isPasted

function commandsOf({ context, node, sessions, conversation, terminal, quit }: Chat): SlashContext {
  return { context, node, sessions, conversation, print: terminal.print, quit }
}

async function prompt(text: string, { context, conversation, terminal }: Chat): Promise<void> {
  const refusal = shellLineRefusal(text)
  if (refusal !== undefined) return terminal.print(context.outStyle.yellow(refusal))
  const position = await conversation.prompt(text)
  if (position > 0) terminal.print(context.outStyle.dim(`queued, position ${position}: /queue lists, /withdraw takes back`))
}
