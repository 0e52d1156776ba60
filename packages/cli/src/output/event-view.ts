import type { QuestionReply, SessionEvent } from '@qmtcode/protocol'
import { duration } from './format.ts'
import { createMessageReader } from './message-text.ts'
import { printable, printableLine } from './printable.ts'
import type { Style } from './style.ts'
import { allowFlag, failureLine, needsOf, shortInput } from './tool-text.ts'

/** Where a session's events go. All text is safe for a terminal. */
export interface EventSink {
  /** A piece of the answer, as it comes. */
  text(piece: string): void
  reasoning(piece: string): void
  /** A message is whole. */
  endMessage(): void
  /** One line beside the answer. */
  line(text: string): void
}

export interface EventView {
  show(event: SessionEvent): void
  /** What `--allow` would have to name for the calls that were denied because nobody was there to answer. */
  readonly unanswered: ReadonlySet<string>
}

export interface EventViewOptions {
  style: Style
  /** Names the flag that would have allowed what nobody could. For commands that cannot ask. */
  namesFlags?: boolean
  /** Of a session on another node: what is local there is not local here. */
  isRemote?: boolean
}

/** All that a host shows of a call: a person decides on what is seen. */
const MAX_SUMMARY_CHARS = 5_000

/** Whose prompt it is, where another node's could be meant too. */
function questionLine({ tool, summary, reserved, author }: Extract<SessionEvent, { type: 'permission.requested' }>): string {
  const line = `? ${printableLine(tool)} asks: ${printableLine(summary, MAX_SUMMARY_CHARS)}`
  return reserved ? `${line} (for ${printableLine(author.user ?? author.node)}; only the person at the host may allow it)` : line
}

/** The question, and its choices by the numbers that answer it. */
function questionLines({ text, choices }: Extract<SessionEvent, { type: 'question.asked' }>): string[] {
  const asked = printable(text).split('\n')
  const options = choices.map(({ label, description }, at) => {
    const means = description === undefined ? '' : ` — ${printableLine(description, MAX_SUMMARY_CHARS)}`
    return `  ${at + 1} ${printableLine(label, 200)}${means}`
  })
  return [...asked.map((line, at) => `${at === 0 ? '?' : ' '} ${line}`), ...options]
}

const replyLine = ({ choices, text }: QuestionReply): string =>
  [...choices, ...(text === undefined ? [] : [`“${text}”`])].map((part) => printableLine(part, 400)).join(', ')

/** Session events as a person reads them: the same lines for `run` and for the chat. */
export function createEventView(sink: EventSink, { style, namesFlags, isRemote = false }: EventViewOptions): EventView {
  const read = createMessageReader()
  const asked = new Map<string, { needs: string[]; callId: string }>()
  const questions = new Map<string, string>() // their calls
  const denied = new Set<string>() // calls: why they fail is told already
  const unanswered = new Set<string>()
  let route = ''

  const showRoute = (event: Extract<SessionEvent, { type: 'route.chosen' }>) => {
    for (const { node, error } of event.tried) sink.line(style.yellow(`  ${printableLine(node)} was tried: ${printableLine(error)}`))
    const reason = isRemote && event.reason === 'local' ? '' : ` (${printableLine(event.reason)})`
    const line = `→ ${printableLine(event.node)} · ${printableLine(event.model)}${reason}`
    if (line !== route) sink.line(style.cyan(line))
    route = line
  }

  const showAnswer = (event: Extract<SessionEvent, { type: 'permission.answered' }>) => {
    const { needs, callId = '' } = asked.get(event.id) ?? {}
    asked.delete(event.id)
    const by = event.by ? ` by ${printableLine(event.by.user ?? event.by.node)}` : ''
    if (event.answer !== 'deny') return sink.line(style.dim(`  allowed${by}`))
    const reason = event.reason === undefined ? '' : `: ${printableLine(event.reason)}`
    denied.add(callId)
    sink.line(style.yellow(`  denied${by}${reason}`))
    if (event.by !== undefined || needs === undefined) return
    for (const need of needs) unanswered.add(need)
    if (namesFlags && !event.reason?.includes('--allow')) sink.line(`  to allow it: ${allowFlag(needs)}`)
  }

  const showReply = ({ id, reply, by, reason }: Extract<SessionEvent, { type: 'question.answered' }>) => {
    const who = by ? ` by ${printableLine(by.user ?? by.node)}` : ''
    if (reply) return sink.line(style.dim(`  answered${who}: ${replyLine(reply)}`))
    denied.add(questions.get(id) ?? '')
    sink.line(style.yellow(`  not answered${who}: ${printableLine(reason ?? 'nobody did')}`))
  }

  const show = (event: SessionEvent): void => {
    switch (event.type) {
      case 'message.delta':
      case 'message.snapshot':
      case 'message.completed':
        for (const { kind, text } of read(event)) sink[kind](printable(text))
        if (event.type === 'message.completed') sink.endMessage()
        return
      case 'route.chosen':
        return showRoute(event)
      case 'tool.started':
        return sink.line(
          `• ${style.bold(printableLine(event.name))} ${shortInput(event.input)} ${style.dim(`(on ${printableLine(event.node)})`)}`,
        )
      case 'tool.ended': {
        if (denied.delete(event.callId)) return
        const name = printableLine(event.name)
        if (!event.isError) return sink.line(style.dim(`  ${name} ok, ${duration(event.durationMs)}`))
        return sink.line(style.red(`  ${name} failed, ${duration(event.durationMs)}: ${failureLine(event.output)}`))
      }
      case 'permission.requested':
        asked.set(event.id, { needs: needsOf(event), callId: event.callId })
        return sink.line(style.yellow(questionLine(event)))
      case 'permission.answered':
        return showAnswer(event)
      case 'question.asked':
        questions.set(event.id, event.callId)
        for (const line of questionLines(event)) sink.line(style.yellow(line))
        return
      case 'question.answered':
        return showReply(event)
      case 'model.retry':
        return sink.line(
          style.yellow(
            `${printableLine(event.message, 200)}: trying again in ${duration(event.delayMs)} (${event.attempt} of ${event.of})`,
          ),
        )
      case 'link.lost':
        return sink.line(style.yellow(`reconnecting to ${printableLine(event.node)}, at most ${duration(event.graceMs)} …`))
      case 'link.restored':
        return sink.line(style.dim(`resumed with ${printableLine(event.node)}`))
      // Progress of a tool would bury the answer; the rest is shown by whoever follows, where it matters.
      case 'tool.progress':
      case 'session.created':
      case 'session.configured':
      case 'session.closed':
      case 'prompt.accepted':
      case 'prompt.withdrawn':
      case 'turn.started':
      case 'turn.ended':
      case 'presence.changed':
        return
      case 'session.shared':
        return sink.line(style.dim(`shared with ${printableLine(event.node)}: ${event.rights.join(', ')}`))
      case 'session.unshared':
        return sink.line(style.dim(`no longer shared with ${printableLine(event.node)}`))
    }
  }
  return { show, unanswered }
}
