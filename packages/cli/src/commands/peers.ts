import { AppError, peerIdSchema } from '@qmtcode/protocol'
import type { KnownPeer, PeerId, Trust } from '@qmtcode/protocol'
import { allPeers, nodeColumns, nodeJson, problemLines } from '../output/node-table.ts'
import { jsonLine, printableLine } from '../output/printable.ts'
import { meshOf, requirePerson, tellUnmet, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { PeerChange } from './invocation.ts'
import { printList } from './list.ts'

export async function peers(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  return await withNode(context, { needsPeers: true }, async (node) => {
    const mesh = meshOf(node)
    const rows = allPeers(await mesh.peers.list(), await mesh.trust.list())
    printList(context, json, {
      rows,
      columns: nodeColumns(rows, context.outStyle, { isOfPeers: true, width: context.out.width }),
      json: nodeJson,
      none: 'no peers: none known, none knocked',
    })
    if (!json) for (const line of problemLines(rows)) context.err.line(context.errStyle.yellow(line))
    await tellUnmet(context, mesh.peers)
    return 0
  })
}

export interface ChangeOptions {
  change: PeerChange
  json: boolean
  /** Said outright, since no person sits at a terminal. */
  yes: boolean
}

/** Changes whom we trust. Throws forbidden where neither a person at a terminal nor `--yes` stands for it. */
export async function changePeer(context: CommandContext, { change, json, yes }: ChangeOptions): Promise<number> {
  requirePerson(context, { yes, what: `peers ${change.kind}` })
  return await withNode(context, {}, async (node) => {
    const { trust } = meshOf(node)
    const peer = await wholeId(trust, change.peer)
    const changed = await applyChange(trust, peer, change)
    if (json) context.out.line(jsonLine(changed ?? { peerId: peer, trust: 'unknown' }, 2))
    else
      context.out.say(
        changed
          ? changeLine(change, changed)
          : `${peer} is unknown again; a grant that it shows counts anew, to keep it out: qmtcode peers ban ${peer}`,
      )
    return 0
  })
}

async function applyChange(trust: Trust, peer: PeerId, change: PeerChange): Promise<KnownPeer | undefined> {
  switch (change.kind) {
    case 'admit':
      return await trust.admit(peer, { role: change.role, name: change.name })
    case 'role':
      return await trust.setRole(peer, change.role)
    case 'use':
      return await trust.use(peer, change.use)
    case 'ban':
      return await trust.ban(peer, { mesh: change.mesh })
    case 'unban':
      return await trust.unban(peer)
    case 'forget':
      await trust.forget(peer)
      return undefined
  }
}

/** The peer that `written` names: a whole id, or a name that this node gave or pinned. What a knocking peer calls itself does not count. */
async function wholeId(trust: Trust, written: string): Promise<PeerId> {
  const id = peerIdSchema.safeParse(written)
  if (id.success) return id.data
  const known = (await trust.list()).filter((peer) => peer.source !== 'knock')
  const named = known.filter((peer) => peer.name === written)
  const [only, second] = named
  if (only && !second) return only.peerId
  if (only) {
    throw new AppError('ambiguous', `${written} names ${named.length} peers: ${named.map((peer) => peer.peerId).join(', ')}`, {
      hint: 'give the whole peer id',
    })
  }
  const meant = known.filter((peer) => written.length >= 6 && peer.peerId.startsWith(written))
  throw new AppError('not_found', `no known peer is named ${written}, and it is no whole peer id`, {
    hint: meant[0] ? `do you mean ${meant[0].peerId}?` : 'qmtcode peers lists them',
  })
}

function changeLine(change: PeerChange, peer: KnownPeer): string {
  const name = peer.name === undefined ? peer.peerId : `${printableLine(peer.name, 63)} (${peer.peerId})`
  switch (change.kind) {
    case 'admit':
    case 'role':
      return `${name} is ${peer.trust}${peer.role === undefined ? '' : ` as ${peer.role}`}; prompts ${peer.use ? 'may' : 'do not'} go to it`
    case 'use':
      return peer.use ? `prompts may go to ${name}` : `prompts no longer go to ${name}`
    case 'ban':
      return `${name} is ${peer.trust}${change.mesh ? '; every member is told' : ' here; to ban it in the mesh: --mesh-wide'}; to take it back: qmtcode peers unban ${peer.peerId}`
    case 'unban':
      return peer.trust === 'banned'
        ? `${name} stays banned: others banned it in the mesh`
        : `${name} is ${peer.trust}${peer.role === undefined ? '' : ` as ${peer.role}`}; its ban is lifted wherever this node banned it`
    case 'forget':
      return `${name} is ${peer.trust}`
  }
}
