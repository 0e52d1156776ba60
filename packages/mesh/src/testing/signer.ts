import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { PeerId } from '@qmtcode/protocol'

/** A key that grants and bans, with the id it is known by. */
export interface Signer {
  key: Ed25519PrivateKey
  self: PeerId
}

export async function newSigner(): Promise<Signer> {
  const key = await generateKeyPair('Ed25519')
  return { key, self: peerIdFromPrivateKey(key).toString() as PeerId }
}
