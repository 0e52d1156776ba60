import type { MeshEvent } from '@qmtcode/protocol'
import type { NodeStatus, ReservedChange } from '../node-handle.ts'
import { printableLine } from './printable.ts'

/** What a starting node says, one fact a line; scripts read `peer id:` and `listening:`. */
export function startLines(status: NodeStatus): string[] {
  const lines: string[] = []
  if (status.peerId !== undefined) lines.push(`peer id: ${status.peerId}`)
  for (const address of status.listenAddresses) lines.push(`listening: ${printableLine(address)}`)
  if (status.peerId !== undefined && status.listenAddresses.length === 0) lines.push('no port is open here: this node only dials')
  for (const { address, note } of status.dialling ?? []) {
    lines.push(`dialling: ${printableLine(address)}${note === undefined ? '' : ` (${printableLine(note)})`}`)
  }
  for (const problem of status.problems ?? []) lines.push(printableLine(problem, 1_000))
  return [...lines, ...defaultModelLines(status)]
}

/** The default model, or why there is none and how to have one. */
export function defaultModelLines({ defaultModel }: NodeStatus): string[] {
  if (defaultModel === undefined) return []
  if ('model' in defaultModel) return [`default model: ${printableLine(defaultModel.model)} (${printableLine(defaultModel.from)})`]
  const { problem, hint } = defaultModel
  return [`default model: none (${printableLine(problem, 300)})`, ...(hint === undefined ? [] : [`hint: ${printableLine(hint, 600)}`])]
}

export const connectedLine = ({ name, peerId, address }: { name: string; peerId: string; address: string }): string =>
  `peer connected: ${printableLine(name, 80)} (${peerId}) at ${printableLine(address)}`

/** A change among the peers in one line; undefined for what is no news to a person. */
export function meshEventLine(event: MeshEvent): string | undefined {
  const name = printableLine(event.name, 80)
  switch (event.type) {
    case 'peer.connected':
      return connectedLine(event)
    case 'peer.disconnected':
      return `peer gone: ${name} (${event.peerId}): ${printableLine(event.reason)}`
    case 'peer.suspect':
      return `peer silent: ${name} (${event.peerId})`
    case 'peer.knocked':
      return `admission request: ${name} (${event.peerId}) from ${printableLine(event.address)}; to admit it: qmtcode peers admit ${event.peerId}`
    case 'peer.refused': {
      const id = event.peerId === undefined ? '' : ` (${event.peerId})`
      const hint = event.hint === undefined ? '' : `; ${printableLine(event.hint, 300)}`
      return `peer refused: ${name}${id}: ${printableLine(event.reason, 300)}${hint}`
    }
    case 'peer.changed':
      return undefined
  }
}

/** Why it was asked, at the end of a summary: of no use where it is over. */
const REASON = / \([^()]*\)$/

/** A peer's turn waits for the person at this node. */
export function reservedLine({ type, question }: ReservedChange): string {
  const { sessionId, summary, author } = question
  if (type === 'settled') return `no longer asked: ${printableLine(summary.replace(REASON, ''), 80)} (${sessionId})`
  return `question for you, from ${printableLine(author.node, 80)}: ${printableLine(summary, 300)}; to answer: qmtcode attach ${sessionId}`
}
