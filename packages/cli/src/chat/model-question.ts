import type { QuestionReply, SessionAnswer, SessionEvent } from '@qmtcode/protocol'
import type { Question } from './questions.ts'

type Asked = Extract<SessionEvent, { type: 'question.asked' }>

/** What does the model want to know? `answer` tells the session. */
export function modelQuestion(asked: Asked, answer: (given: SessionAnswer) => Promise<void>): Question {
  const { id } = asked
  return {
    id,
    prompt: { asked: '', keys: howToAnswer(asked) },
    takesPaste: asked.freeText,
    take: (line) => {
      if (line.trim() === '/skip') return () => answer({ id, answer: 'deny' })
      const reply = readReply(asked, line)
      return reply ? () => answer({ id, answer: reply }) : `${howToAnswer(asked)}; /skip to leave it to the model`
    },
  }
}

function howToAnswer({ choices, multiple, freeText }: Asked): string {
  if (choices.length === 0) return 'your answer'
  const numbers = choices.length === 1 ? '1' : `1–${choices.length}${multiple ? ', several with commas' : ''}`
  return freeText ? `${numbers}, or your own words` : numbers
}

/**
 * Numbers or labels, with commas where several may be given; `2: and why`, a choice with words of one's own; else words alone.
 * Undefined: it is no answer.
 */
function readReply(asked: Asked, line: string): QuestionReply | undefined {
  const { multiple, freeText } = asked
  const said = line.trim()
  if (said === '') return undefined
  const whole = choiceOf(asked, said)
  if (whole !== undefined) return { choices: [whole] }
  const several = choicesOf(asked, said)
  if (several) return several.length === 1 || multiple ? { choices: several } : undefined
  if (!freeText) return undefined
  const [, before = '', text = ''] = /^([^:]+):\s*(.+)$/s.exec(said) ?? []
  const chosen = choicesOf(asked, before)
  if (chosen && (chosen.length === 1 || multiple)) return { choices: chosen, text }
  return { choices: [], text: said }
}

/** All of them, or nothing. */
function choicesOf(asked: Asked, said: string): string[] | undefined {
  const byComma = said.split(',').map((piece) => piece.trim())
  const pieces = byComma.length === 1 ? said.split(/\s+/) : byComma
  const found = (byComma.length === 1 && choiceOf(asked, said) !== undefined ? [said] : pieces).map((piece) => choiceOf(asked, piece))
  const choices = found.filter((choice) => choice !== undefined)
  return choices.length > 0 && choices.length === found.length ? [...new Set(choices)] : undefined
}

/** A label comes before a number: a choice may be called `2`. */
function choiceOf({ choices }: Asked, said: string): string | undefined {
  const labels = choices.map(({ label }) => label)
  const word = said.toLowerCase()
  return (
    labels.find((label) => label === said) ??
    labels.find((label) => label.toLowerCase() === word) ??
    (/^\d+$/.test(said) ? labels[Number(said) - 1] : undefined)
  )
}
