import type { MeshEvent, PeerId, Trust } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'
import { byWord } from './questions.ts'
import type { Question, Questions } from './questions.ts'

const MAX_ASKED = 1_000
const idOf = (peerId: PeerId): string => `admission of ${peerId}`

export interface AdmissionComponents {
  trust: Trust
  questions: Questions
  print(text: string): void
}

/**
 * Asks about an unknown peer that knocks, once a peer and one at a time: whoever knocks meanwhile is only in `qmtcode peers`, so that
 * strangers cannot fill the chat. A whole word is to be typed: a `y` meant for another question lets nobody in.
 */
export function createAdmissions({ trust, questions, print }: AdmissionComponents): (event: MeshEvent) => void {
  const asked = new Set<PeerId>()
  let open: PeerId | undefined
  const close = (peerId: PeerId): void => {
    if (open === peerId) open = undefined
  }
  const admit = async (peerId: PeerId): Promise<void> => {
    close(peerId)
    const { role } = await trust.admit(peerId)
    print(`admitted as ${role}; to undo it: qmtcode peers forget ${peerId}`)
  }
  const question = ({ name, peerId, address }: Extract<MeshEvent, { type: 'peer.knocked' }>): Question => {
    const refuse = async (): Promise<void> => {
      close(peerId)
      print(`not admitted; to do it later: qmtcode peers admit ${peerId}`)
    }
    return {
      id: idOf(peerId),
      isPatient: true,
      text: `let ${printableLine(name, 40)} (${peerId}, from ${printableLine(address, 60)}) use the models of this node?`,
      prompt: { asked: '', keys: 'type admit or no' },
      take: byWord({ admit: () => admit(peerId), no: refuse, n: refuse, '': refuse }, 'admit or no'),
    }
  }
  return (event) => {
    if (event.type === 'peer.knocked' && open === undefined && !asked.has(event.peerId)) {
      open = event.peerId
      if (asked.size < MAX_ASKED) asked.add(event.peerId)
      questions.ask(question(event))
    }
    if (event.type === 'peer.connected') {
      close(event.peerId)
      questions.settle(idOf(event.peerId))
    }
  }
}
