import { roleIncludes } from '@qmtcode/protocol'
import type { PeerId, PeerInfo, Peers } from '@qmtcode/protocol'
import { matchesPattern } from '../models/model-id.ts'

export interface PeerPlace {
  peerId: PeerId
  name: string
}

/** Whether prompts may go to a peer, and it is there to take them. */
export function isUsable(peer: PeerInfo): boolean {
  const isThere = peer.state === 'connected' || peer.state === 'suspect'
  const mayCall = peer.roleThere === undefined || roleIncludes(peer.roleThere, 'client')
  return !peer.self && peer.use && peer.trust !== 'banned' && isThere && mayCall
}

/** Usable peers whose record offers `model`, in the order of the list; or those that have it, but whose server does not answer. */
export async function peersOffering(peers: Peers | undefined, model: string, state: 'up' | 'down' = 'up'): Promise<PeerPlace[]> {
  const all = (await peers?.list()) ?? []
  const offersOf = (peer: PeerInfo): readonly string[] => (state === 'up' ? peer.models : (peer.modelsDown ?? []))
  return all
    .filter((peer) => isUsable(peer) && offersOf(peer).some((offer) => matchesPattern(offer, model)))
    .map(({ peerId, name }) => ({ peerId, name }))
}

/** Its first record, or the one for the role that it gave this node, has not come. */
const isUntold = (peer: PeerInfo): boolean =>
  isUsable(peer) && (peer.hasRecord === false || (peer.models.length === 0 && peer.modelsDown === undefined))

/** Resolves when every peer that is linked, or just being dialled, has told what it offers, or after `waitMs`. */
export async function recordsOf(peers: Peers, waitMs: number): Promise<void> {
  const signal = AbortSignal.timeout(waitMs)
  const isComing = (peer: PeerInfo): boolean => !peer.self && peer.use && (peer.state === 'connecting' || isUntold(peer))
  const events = peers.follow({ signal })[Symbol.asyncIterator]()
  try {
    while ((await peers.list()).some(isComing)) if ((await events.next()).done === true) return
  } finally {
    events.return?.().catch(() => {})
  }
}

/** `node:provider/model` of everything that usable peers offer, patterns left out. */
export async function usablePeerModels(peers: Peers | undefined): Promise<string[]> {
  const all = (await peers?.list()) ?? []
  return all
    .filter(isUsable)
    .flatMap(({ name, models }) => models.filter((model) => !model.includes('*')).map((model) => `${name}:${model}`))
}
