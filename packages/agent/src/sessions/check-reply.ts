import { AppError } from '@qmtcode/protocol'
import type { DurableEventInit, QuestionReply } from '@qmtcode/protocol'

type Asked = Pick<Extract<DurableEventInit, { type: 'question.asked' }>, 'choices' | 'multiple' | 'freeText'>

/** The reply as it is kept. Throws bad_request, with what is possible, for one that does not answer the question. */
export function checkReply(asked: Asked, reply: QuestionReply): QuestionReply {
  const labels = asked.choices.map(({ label }) => label)
  const choices = [...new Set(reply.choices)]
  const text = reply.text?.trim() === '' ? undefined : reply.text
  const refuse = (why: string): AppError => new AppError('bad_request', why, { hint: whatAnswers(asked) })
  const unknown = choices.find((choice) => !labels.includes(choice))
  if (unknown !== undefined) throw refuse(`${JSON.stringify(unknown)} is none of the question's choices`)
  if (choices.length > 1 && !asked.multiple) throw refuse(`the question takes one choice, not ${choices.length}`)
  if (text !== undefined && !asked.freeText) throw refuse('the question takes no text of your own')
  if (choices.length === 0 && text === undefined) throw refuse('the reply is empty')
  return { choices, ...(text !== undefined && { text }) }
}

/** What a person may say to it, in one line. */
function whatAnswers({ choices, multiple, freeText }: Asked): string {
  const labels = choices.map(({ label }) => JSON.stringify(label)).join(', ')
  const chosen = labels === '' ? [] : [`${multiple ? 'some of' : 'one of'}: ${labels}`]
  return [...chosen, ...(freeText ? ['a text'] : [])].join('; or ')
}
