import { commandNames } from '../commands/program.ts'

const INVITE_LINK = /qmt:\/\/mesh\/join\//
/** As it is copied from documentation: with a prompt sign, and by npx. */
const SHELL_LINE = /^\s*(?:[$%#>]\s+)?(?:sudo\s+)?(?:npx\s+)?qmtcode(?:\s+(?<word>\S+).*)?$/

/**
 * What is said of a prompt that was meant for a shell, and so does not go to the model; undefined: it is a prompt. The secret of an invite
 * goes to no model in any text.
 */
export function shellLineRefusal(text: string): string | undefined {
  if (INVITE_LINK.test(text)) return 'an invite is a secret: it was not sent to the model. In a shell: qmtcode join'
  const line = SHELL_LINE.exec(text)
  const word = line?.groups?.['word'] ?? '--'
  if (!line || !(word.startsWith('-') || commandNames().includes(word))) return undefined
  return 'that is a command for a shell: it was not sent to the model. Leave with Ctrl-D, or open another terminal'
}
