import type { Author, PromptId, SessionAnswer, SessionEvent } from '@qmtcode/protocol'
import type { Style } from '../output/style.ts'
import { errorLines } from '../output/errors.ts'
import { createEventView } from '../output/event-view.ts'
import { printable, printableLine } from '../output/printable.ts'
import { stopText, turnError, usageText } from '../output/turn-end.ts'
import type { TurnEnded } from '../output/turn-end.ts'
import { modelQuestion } from './model-question.ts'
import { permissionQuestion } from './permission-question.ts'
import { createPresenceLines } from './presence-lines.ts'
import type { Questions } from './questions.ts'
import type { ChatTerminal } from './terminal.ts'
import { personName, promptLine } from './waiting-prompts.ts'

export interface EventPrinterComponents {
  terminal: ChatTerminal
  questions: Questions
  style: Style
  /** The session is this node's: reserved questions are for whoever sits here. */
  isHost: boolean
  isOurs(promptId: PromptId): boolean
  /** Whether whoever sits here is meant. */
  isSelf(author: Author): boolean
  answer(given: SessionAnswer): Promise<void>
}

/** What changes what stands before the cursor: whether something runs, and how many prompts wait. */
const CHANGES_WORK: ReadonlySet<SessionEvent['type']> = new Set(['prompt.accepted', 'prompt.withdrawn', 'turn.started', 'turn.ended'])

/** Shows a session's events above the input, and turns what it asks into questions. */
export function createEventPrinter(components: EventPrinterComponents): (event: SessionEvent) => void {
  const { terminal, questions, style, isHost, isOurs, isSelf, answer } = components
  const presenceLines = createPresenceLines(isSelf)
  const queued = new Map<PromptId, Extract<SessionEvent, { type: 'prompt.accepted' }>>()
  const asked = new Set<string>()
  const text = (piece: string) => piece
  const view = createEventView(
    {
      text: (piece) => terminal.stream(piece, text),
      reasoning: (piece) => terminal.stream(piece, style.dim),
      endMessage: terminal.endStream,
      line: terminal.print,
    },
    { style, isRemote: !isHost },
  )
  const showEnd = (event: TurnEnded): void => {
    for (const id of asked) questions.settle(id)
    asked.clear()
    const error = turnError(event)
    if (error) terminal.print(errorLines(error, style).join('\n'))
    const stopped = stopText(event)
    if (stopped !== undefined) terminal.print(style.yellow(stopped))
    const used = usageText(event)
    if (used !== undefined) terminal.print(style.dim(used))
  }
  const showPrompt = ({ author, content }: Extract<SessionEvent, { type: 'prompt.accepted' }>): void => {
    const parts = content.map((part) => (part.type === 'text' ? part.text : `[${printableLine(part.filename ?? part.mediaType, 255)}]`))
    terminal.print(`${style.bold(`${printableLine(author.user ?? author.node)} ›`)} ${printable(parts.join('\n'))}`)
  }
  return (event) => {
    if (event.type === 'prompt.accepted' && !isOurs(event.promptId)) {
      if (event.position === 0) showPrompt(event)
      else {
        queued.set(event.promptId, event)
        terminal.print(style.dim(`queued behind ${event.position}: ${personName(event.author)}: ${promptLine(event)}`))
      }
    }
    if (event.type === 'turn.started' || event.type === 'prompt.withdrawn') {
      const begun = queued.get(event.promptId)
      queued.delete(event.promptId)
      if (begun && event.type === 'turn.started') showPrompt(begun)
      else if (begun && event.type === 'prompt.withdrawn')
        terminal.print(style.dim(`withdrawn: ${personName(begun.author)}: ${promptLine(begun)}`))
    }
    if (event.type === 'presence.changed') for (const line of presenceLines(event)) terminal.print(style.dim(line))
    view.show(event)
    if (event.type === 'permission.requested' && (isHost || !event.reserved)) {
      asked.add(event.id)
      questions.ask(permissionQuestion(event, answer))
    }
    if (event.type === 'question.asked') {
      asked.add(event.id)
      questions.ask(modelQuestion(event, answer))
    }
    if (event.type === 'permission.answered' || event.type === 'question.answered') questions.settle(event.id)
    if (event.type === 'turn.ended') showEnd(event)
    if (CHANGES_WORK.has(event.type)) questions.refresh()
  }
}
