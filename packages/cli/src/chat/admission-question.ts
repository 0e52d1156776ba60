import type { MeshEvent, PeerId, Trust } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'
import { byWord } from './questions.ts'
import type { Question, Questions } from './questions.ts'

const idOf = (peerId: PeerId): string => `admission of ${peerId}`

export interface AdmissionComponents {
  trust: Trust
  questions: Questions
  print(text: string): void
}

/** Asks for each unknown peer that knocks, until it is in. A whole word is to be typed: a `y` meant for another question lets nobody in. */
export function createAdmissions({ trust, questions, print }: AdmissionComponents): (event: MeshEvent) => void {
  const admit = async (peerId: PeerId): Promise<void> => {
    const { role } = await trust.admit(peerId)
    print(`admitted as ${role}; to undo it: qmtcode peers forget ${peerId}`)
  }
  const question = ({ name, peerId, address }: Extract<MeshEvent, { type: 'peer.knocked' }>): Question => {
    const refuse = async (): Promise<void> => print(`not admitted; to do it later: qmtcode peers admit ${peerId}`)
    return {
      id: idOf(peerId),
      prompt: `let ${printableLine(name, 40)} (${peerId}, from ${printableLine(address, 60)}) use the models of this node? type admit or no › `,
      take: byWord({ admit: () => admit(peerId), no: refuse, n: refuse, '': refuse }, 'admit or no'),
    }
  }
  return (event) => {
    if (event.type === 'peer.knocked') questions.ask(question(event))
    if (event.type === 'peer.connected') questions.settle(idOf(event.peerId))
  }
}
