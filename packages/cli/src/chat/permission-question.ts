import type { PermissionAnswer, SessionEvent } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'
import { byWord } from './questions.ts'
import type { Question } from './questions.ts'

/** May this call run? `answer` tells the session. What another node caused is allowed once, never for the session. */
export function permissionQuestion(
  { id, tool, reserved = false }: Extract<SessionEvent, { type: 'permission.requested' }>,
  answer: (given: { id: string; answer: PermissionAnswer }) => Promise<void>,
): Question {
  const give = (given: PermissionAnswer) => () => answer({ id, answer: given })
  const [allow, always, deny] = [give('allow'), give('allow_session'), give('deny')]
  const once = { y: allow, yes: allow, n: deny, no: deny }
  const asked = `allow ${printableLine(tool, 40)}? `
  if (reserved) return { id, prompt: { asked, keys: 'y once · n no' }, take: byWord(once, 'y or n') }
  const what = tool === 'shell' ? 'this command' : 'always'
  return {
    id,
    prompt: { asked, keys: `y once · a ${what} in this session · n no` },
    take: byWord({ ...once, a: always, always }, 'y, a or n'),
  }
}
