import { AppError, inviteIn, isWholeInvite } from '@qmtcode/protocol'
import { inviteFromFile, MAX_INVITE_BYTES } from '../node/invite-file.ts'
import type { CommandContext } from './context.ts'
import type { JoinCommand } from './invocation.ts'
import type { PersonsLines } from './persons-lines.ts'
import { readAll } from './prompt-input.ts'

/** The invite of `join`: from its argument, a file, a pipe, or pasted at the terminal. Only the first is in the list of processes. */
export async function inviteText(context: CommandContext, { invite, file }: JoinCommand, lines: PersonsLines): Promise<string> {
  const { stdin } = context.components
  const isArgument = invite !== undefined && invite !== '-'
  if (file !== undefined && invite !== undefined) throw new AppError('bad_request', 'two invites: one as an argument, one by --file')
  if (file !== undefined) return await inviteFromFile(file)
  if (isArgument) {
    tellOfList(context)
    return invite
  }
  if (stdin.isTTY === true) return await pasted(context, lines)
  return await readAll(stdin, { signal: context.interrupts.signal, maxBytes: MAX_INVITE_BYTES, what: 'the invite' })
}

function tellOfList({ err, errStyle }: CommandContext): void {
  err.line(
    errStyle.dim(
      'other users of this machine may see arguments while a program starts, and shells keep them; safer: qmtcode join, then paste',
    ),
  )
}

/** A paste may come in several lines; an empty one ends it, as does the end of input. */
async function pasted({ err }: CommandContext, lines: PersonsLines): Promise<string> {
  err.write('paste the invite: ')
  let text = ''
  for (;;) {
    const line = await lines.next()
    if (line === undefined || (line.trim() === '' && text !== '')) return text
    text += `${line}\n`
    if (isWholeInvite(inviteIn(text)?.url ?? '')) return text
  }
}
