import type { SessionId, SessionInit, Sessions } from '@qmtcode/protocol'
import { withNode } from '../commands/context.ts'
import type { CommandContext } from '../commands/context.ts'
import { watchPeers } from '../commands/serve.ts'
import type { NodeHandle } from '../node-handle.ts'
import { errorLines } from '../output/errors.ts'
import { startLines } from '../output/mesh-lines.ts'
import { printableLine } from '../output/printable.ts'
import { createCancelKey } from './cancel-key.ts'
import type { CancelKey } from './cancel-key.ts'
import { createConversation } from './conversation.ts'
import type { Conversation } from './conversation.ts'
import { createEventPrinter } from './event-printer.ts'
import { createLineQueue } from './line-queue.ts'
import type { LineQueue } from './line-queue.ts'
import { createQuestions } from './questions.ts'
import type { Questions } from './questions.ts'
import { slash } from './slash.ts'
import { createChatTerminal } from './terminal.ts'
import type { ChatTerminal } from './terminal.ts'

/** A conversation, line by line, on a terminal. Ends with /quit, Ctrl-D (0) or a second Ctrl-C (130). */
export async function chat(context: CommandContext): Promise<number> {
  return await withNode(context, {}, async (node) => {
    const { out, outStyle, components } = context
    for (const line of startLines(await node.status())) out.line(outStyle.dim(line))
    out.line(outStyle.dim(`${printableLine(components.cwd)} · /help, Ctrl-D to leave`))
    return await converse(context, node, { sessions: node.sessions, init: { workspace: components.cwd } })
  })
}

export interface ChatSubject {
  /** Of the host. */
  sessions: Sessions
  /** What new sessions begin with. */
  init: SessionInit
  /** A session that is there; absent: the first prompt begins one. */
  attached?: { id: SessionId; after: number }
}

/** Until the person leaves; returns the exit code. */
export async function converse(context: CommandContext, node: NodeHandle, subject: ChatSubject): Promise<number> {
  const { components, outStyle: style } = context
  const { promise: ended, resolve: end } = Promise.withResolvers<number>()
  const stop = new AbortController()
  const terminal = createChatTerminal(
    { input: components.stdin, output: components.stdout },
    { onLine: (line) => takeLine(line, chat), onInterrupt: () => cancelKey.press(), onEnd: () => end(0) },
  )
  const onError = (error: unknown) => terminal.print(errorLines(error, style).join('\n'))
  const prompt = style.bold('› ')
  const questions = createQuestions(terminal, { prompt, paint: style.yellow })
  const onEvent = createEventPrinter({
    terminal,
    questions,
    style,
    isHost: subject.sessions === node.sessions,
    isOurs: (promptId) => conversation.isOurs(promptId),
  })
  const conversation = createConversation(subject.sessions, subject.init, { onEvent, onLost: onError })
  const cancelKey = createCancelKey({
    conversation,
    terminal,
    say: (text) => terminal.print(style.yellow(text)),
    quit: () => end(130),
    onError,
  })
  const lines = createLineQueue(onError)
  const chat = { context, node, conversation, questions, terminal, cancelKey, lines, quit: () => end(0) }

  using _ = context.interrupts.handle((signal) => (signal === 'SIGINT' ? cancelKey.press() : end(130)))
  terminal.setPrompt(prompt)
  if (subject.attached) conversation.attach(subject.attached)
  const watching = watchPeers(node, stop.signal, (line) => terminal.print(style.dim(line))).catch(onError)
  try {
    return await ended
  } finally {
    stop.abort()
    lines.stop()
    terminal.close()
    await Promise.all([watching, conversation.stop()])
  }
}

interface Chat {
  context: CommandContext
  node: NodeHandle
  conversation: Conversation
  questions: Questions
  terminal: ChatTerminal
  cancelKey: CancelKey
  lines: LineQueue
  quit(): void
}

/** A line is the answer to the question that is shown as it is typed, a command, or a prompt. */
function takeLine(line: string, chat: Chat): void {
  const { context, node, conversation, questions, terminal, lines, quit } = chat
  chat.cancelKey.disarm()
  if (questions.pending()) {
    const answer = questions.answer(line)
    if (answer) lines.add(() => conversation.answer(answer))
  } else if (line.startsWith('/')) {
    lines.add(() => slash(line, { context, node, conversation, print: terminal.print, quit }))
  } else if (line.trim() !== '') {
    lines.add(async () => {
      const position = await conversation.prompt(line)
      if (position > 0) terminal.print(context.outStyle.dim(`queued, position ${position}`))
    })
  }
}
