import { createCipheriv, createHmac, randomBytes } from 'node:crypto'

const VERSION_1_SALT = Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex') // RFC 9001, 5.2
const DATAGRAM_BYTES = 1_200 // less is no first packet
const TAG_BYTES = 16
const PING = 1

/** The first packet of a QUIC connection whose client never says more: valid, of a connection id of its own, without a byte of TLS. */
export function quicInitial(): Buffer {
  const to = randomBytes(16)
  const from = randomBytes(8)
  const secret = expand(createHmac('sha256', VERSION_1_SALT).update(to).digest(), 'client in', 32)
  const headerBytes = 1 + 4 + 1 + to.length + 1 + from.length + 1 + 2 + 4
  const frames = Buffer.alloc(DATAGRAM_BYTES - headerBytes - TAG_BYTES) // zeros are padding
  frames[0] = PING
  const length = 4 + frames.length + TAG_BYTES
  const header = Buffer.concat([
    Buffer.from([0xc3, 0, 0, 0, 1, to.length]),
    to,
    Buffer.from([from.length]),
    from,
    Buffer.from([0, 0x40 | (length >> 8), length & 0xff, 0, 0, 0, 0]), // no token, the length, packet 0
  ])
  const cipher = createCipheriv('aes-128-gcm', expand(secret, 'quic key', 16), expand(secret, 'quic iv', 12))
  cipher.setAAD(header)
  const packet = Buffer.concat([header, cipher.update(frames), cipher.final(), cipher.getAuthTag()])
  maskHeader(packet, headerBytes - 4, expand(secret, 'quic hp', 16))
  return packet
}

/** HKDF-Expand-Label of TLS 1.3, of one block. */
function expand(secret: Buffer, label: string, bytes: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`)
  const info = Buffer.concat([Buffer.from([0, bytes, name.length]), name, Buffer.from([0, 1])])
  return createHmac('sha256', secret).update(info).digest().subarray(0, bytes)
}

function maskHeader(packet: Buffer, numberAt: number, key: Buffer): void {
  const mask = createCipheriv('aes-128-ecb', key, null).update(packet.subarray(numberAt + 4, numberAt + 20))
  packet[0] = (packet[0] ?? 0) ^ ((mask[0] ?? 0) & 0x0f)
  for (let i = 0; i < 4; i += 1) packet[numberAt + i] = (packet[numberAt + i] ?? 0) ^ (mask[1 + i] ?? 0)
}
