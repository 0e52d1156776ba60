import type { PermissionAnswer, SessionEvent } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'
import type { Question } from './questions.ts'

/** May this call run? `answer` tells the session. */
export function permissionQuestion(
  { id, tool }: Extract<SessionEvent, { type: 'permission.requested' }>,
  answer: (given: { id: string; answer: PermissionAnswer }) => Promise<void>,
): Question {
  const give = (given: PermissionAnswer) => () => answer({ id, answer: given })
  const [allow, always, deny] = [give('allow'), give('allow_session'), give('deny')]
  return {
    id,
    prompt: `allow ${printableLine(tool, 40)}? y once · a in this session · n no › `,
    choices: { y: allow, yes: allow, a: always, always, n: deny, no: deny },
    help: 'y, a or n',
  }
}
