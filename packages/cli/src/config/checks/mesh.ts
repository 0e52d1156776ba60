import { readAddress } from '@qmtcode/mesh/addresses'
import { finding } from '../diagnostics.ts'
import type { Finding } from '../diagnostics.ts'
import { errorAt, repeated, warningAt } from './view.ts'
import type { Check, Table } from './view.ts'

/** Peers: each named once, each found or known, each sure of who it is. */
export const checkPeers: Check = (view) => {
  const peers = view.list('mesh', 'peers')
  const own = view.one('mesh')?.text('node_name')
  return [
    ...repeated(peers, 'name', view),
    ...repeated(peers, 'peer_id', view),
    ...peers.flatMap(checkPeer),
    ...peers
      .filter((peer) => own !== undefined && peer.text('name') === own)
      .map((peer) => warningAt(peer, 'name', "is also this node's own node_name")),
  ]
}

function checkPeer(peer: Table): Finding[] {
  const findings: Finding[] = []
  if (!peer.has('addr') && !peer.has('peer_id')) {
    findings.push(finding('error', peer.path, 'needs addr, peer_id or both: without them nobody can find it', 'key'))
  }
  if (peer.text('name') === 'any') findings.push(errorAt(peer, 'name', '"any" stands for every peer and names none'))
  const reading = readAddress(peer.text('addr') ?? '', 'dial')
  const said = peer.text('peer_id')
  if (reading.ok && reading.address.peerId !== undefined && said !== undefined && said !== reading.address.peerId) {
    findings.push(errorAt(peer, 'peer_id', `differs from the /p2p of addr (${reading.address.peerId}): keep the right one`))
  }
  return findings
}

export const checkDiscovery: Check = (view) => {
  const mesh = view.one('mesh')
  const ways = mesh?.texts('discovery') ?? []
  if (!mesh || ways.length < 2 || !ways.includes('none')) return []
  return [errorAt(mesh, 'discovery', '"none" stands alone')]
}

export const checkSharedModels: Check = (view) => {
  const share = view.one('mesh', 'share')
  return (share?.texts('models') ?? []).flatMap((pattern, at) =>
    !share || pattern === '*' || pattern.includes('/')
      ? []
      : [
          finding(
            'error',
            [...share.path, 'models', at],
            `expected provider/model or "*", got ${view.shown([...share.path, 'models', at])}`,
          ),
        ],
  )
}
