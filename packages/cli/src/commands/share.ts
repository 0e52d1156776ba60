import { AppError } from '@qmtcode/protocol'
import { jsonLine, printableLine } from '../output/printable.ts'
import { meshOf } from './context.ts'
import type { CommandContext } from './context.ts'
import type { Invocation } from './invocation.ts'
import { withSession } from './session-place.ts'

/** Gives a node rights on a session, or takes them. */
export async function shareSession(
  context: CommandContext,
  { node: written, id, peer, rights, json }: Extract<Invocation, { command: 'sessions share' }>,
): Promise<number> {
  return await withSession(context, { node: written, id }, async ({ handle, sessions }) => {
    const { peerId, name, self } = await meshOf(handle).peers.resolve(peer)
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
