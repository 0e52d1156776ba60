import { AppError } from '@qmtcode/protocol'
import { jsonLine, printableLine } from '../output/printable.ts'
import { meshOf, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { Invocation } from './invocation.ts'
import { sessionsOf } from './run.ts'

/** Gives a node rights on a session, or takes them. */
export async function shareSession(
  context: CommandContext,
  { node: written, id, peer, rights, json }: Extract<Invocation, { command: 'sessions share' }>,
): Promise<number> {
  return await withNode(context, { needsPeers: written !== undefined }, async (node) => {
    const sessions = await sessionsOf(node, written)
    const { peerId, name, self } = await meshOf(node).peers.resolve(peer)
    if (self) throw new AppError('bad_request', `${name} is this node`)
    if (rights.length === 0) await sessions.unshare(id, peerId)
    else await sessions.share(id, { peerId, node: name, rights })
    const { shares = [] } = await sessions.get(id)
    const given = shares.find((share) => share.peerId === peerId)
    const text = given
      ? `${id} is shared with ${printableLine(name, 63)}: ${given.rights.join(', ')}`
      : `${id} is not shared with ${printableLine(name, 63)}`
    context.out.line(json ? jsonLine({ id, shares }, 2) : text)
    return 0
  })
}
