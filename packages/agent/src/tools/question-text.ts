import type { Author, QuestionReply } from '@qmtcode/protocol'

/** A person's reply as the model reads it: what was chosen, and their own words as a quotation. */
export function replyText({ choices, text }: QuestionReply, by: Author | undefined): string {
  const who = by === undefined ? 'The user' : `The user (${by.user === undefined ? by.node : `${by.user} on ${by.node}`})`
  const chosen = choices.length === 0 ? [] : [`chose: ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`]
  const said = text === undefined ? [] : [`wrote:\n${text.replace(/^/gm, '> ')}`]
  return `${who} ${[...chosen, ...said].join('\nand ')}`
}
