import type { PeerId } from '@qmtcode/protocol'

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
// Multihash heads of libp2p keys: an inlined ed25519 or secp256k1 key, or the SHA-256 of an RSA key.
const HEADS: { head: number[]; bytes: number }[] = [
  { head: [0x00, 0x24, 0x08, 0x01, 0x12, 0x20], bytes: 38 },
  { head: [0x00, 0x25, 0x08, 0x02, 0x12, 0x21], bytes: 39 },
  { head: [0x12, 0x20], bytes: 34 },
]

/** Whether the text is a whole peer id; ids have no checksum, so a changed letter in the middle passes. */
export function readPeerId(text: string): { ok: true; peerId: PeerId } | { ok: false; reason: string } {
  if (text.length < 40 || text.length > 64) {
    return { ok: false, reason: `not a peer id: ${text.length} characters, expected 52 (12D3KooW…); a short form is no identity here` }
  }
  const odd = Array.from(text).find((char) => !BASE58.includes(char))
  if (odd !== undefined) return { ok: false, reason: `not a peer id: it has no ${JSON.stringify(odd)}` }
  const bytes = fromBase58(text)
  const known = HEADS.some(({ head, bytes: length }) => bytes.length === length && head.every((byte, at) => bytes[at] === byte))
  if (!known) return { ok: false, reason: 'not a peer id: it holds no key (a letter may be missing; expected 12D3KooW… of 52 characters)' }
  return { ok: true, peerId: text as PeerId }
}

function fromBase58(text: string): number[] {
  const bytes: number[] = []
  for (const char of text) {
    let carry = BASE58.indexOf(char)
    for (let i = 0; i < bytes.length; i += 1) {
      carry += (bytes[i] ?? 0) * 58
      bytes[i] = carry & 0xff
      carry >>= 8
    }
    for (; carry > 0; carry >>= 8) bytes.push(carry & 0xff)
  }
  for (const char of text) {
    if (char !== '1') break
    bytes.push(0)
  }
  return bytes.toReversed()
}
