import type { PermissionAnswer, SessionEvent } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'
import { byWord } from './questions.ts'
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
    take: byWord({ y: allow, yes: allow, a: always, always, n: deny, no: deny }, 'y, a or n'),
  }
}
