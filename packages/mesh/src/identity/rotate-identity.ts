import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { AppError } from '@qmtcode/protocol'
import type { Clock, PeerId } from '@qmtcode/protocol'
import { openKnownPeersFile } from '../trust/known-peers-file.ts'
import { shownRotations, signRotation } from '../trust/rotation.ts'
import { errnoOf, loadIdentity } from './identity-file.ts'
import { replaceFile } from './replace-file.ts'

export interface Rotated {
  before: PeerId
  after: PeerId
  /** Where the old key lies, mode 0600. */
  backup: string
}

/**
 * A new key for this node, signed by the old one, which stays beside it as `.bak`. The node must not run.
 * The statement is on disk before the key is replaced: a crash between the two leaves the old identity, whole.
 */
export async function rotateIdentity(
  { clock }: { clock: Clock },
  { identityFile, knownPeersFile }: { identityFile: string; knownPeersFile: string },
): Promise<Rotated> {
  const oldKey = await loadIdentity(identityFile)
  const newKey = await generateKeyPair('Ed25519')
  const [before, after] = [oldKey, newKey].map((key) => peerIdFromPrivateKey(key).toString() as PeerId)
  if (before === undefined || after === undefined) throw new AppError('internal', 'no keys')
  const file = await openKnownPeersFile(knownPeersFile)
  const { content } = file
  content.rotations = [
    ...shownRotations(content.rotations, before, clock.now()),
    await signRotation({ before, after, at: clock.now() }, oldKey),
  ]
  // Grants that the old key gave count until they end; whoever still holds the old key gets nothing.
  content.roots = [...new Set([...content.roots, before])]
  content.peers[before] = { addresses: [], trust: 'banned', movedTo: after }
  await file.save()
  const backup = `${identityFile}.bak`
  await replaceKey(identityFile, backup, privateKeyToProtobuf(newKey))
  return { before, after, backup }
}

async function replaceKey(file: string, backup: string, bytes: Uint8Array): Promise<void> {
  try {
    await replaceFile(file, bytes, { backup })
  } catch (cause) {
    throw new AppError('bad_config', `cannot replace the identity file ${file}: ${errnoOf(cause) ?? String(cause)}`, { cause })
  }
}
