/** An IPv4 address and a UDP port. */
export interface Endpoint {
  host: string
  port: number
}

/** Binding requests that carry a username, and what answers them. Nothing else of STUN is spoken. */
export type StunMessage =
  | { kind: 'request'; /** 96 bits, hexadecimal. */ transaction: string; username: string }
  | { kind: 'response'; transaction: string; /** How the asked side sees the asking one. */ mapped: Endpoint }

// RFC 8489. Every number is big-endian.
const REQUEST = 0x0001
const RESPONSE = 0x0101
const COOKIE = 0x2112a442
const HEADER_BYTES = 20
const USERNAME = 0x0006
const XOR_MAPPED_ADDRESS = 0x0020
const IPV4 = 1
/** From here on an attribute may be passed over by who does not know it. */
const OPTIONAL_FROM = 0x8000
const MAX_BYTES = 256
const MAX_USERNAME_BYTES = 64
const USERNAME_FORM = /^[\w:-]+$/

export const sameEndpoint = (a: Endpoint, b: Endpoint): boolean => a.host === b.host && a.port === b.port

export function encodeStun(message: StunMessage): Uint8Array {
  return message.kind === 'request'
    ? encode(REQUEST, message.transaction, { type: USERNAME, value: Buffer.from(message.username) })
    : encode(RESPONSE, message.transaction, { type: XOR_MAPPED_ADDRESS, value: xored(message.mapped) })
}

function encode(type: number, transaction: string, attribute: { type: number; value: Buffer }): Uint8Array {
  const { value } = attribute
  const bytes = Buffer.alloc(HEADER_BYTES + 4 + padded(value.byteLength))
  bytes.writeUInt16BE(type, 0)
  bytes.writeUInt16BE(bytes.byteLength - HEADER_BYTES, 2)
  bytes.writeUInt32BE(COOKIE, 4)
  bytes.write(transaction, 8, 12, 'hex')
  bytes.writeUInt16BE(attribute.type, HEADER_BYTES)
  bytes.writeUInt16BE(value.byteLength, HEADER_BYTES + 2)
  value.copy(bytes, HEADER_BYTES + 4)
  return bytes
}

/** Undefined: not one of these messages, whole and alone in the datagram. Never throws. */
export function parseStun(datagram: Uint8Array): StunMessage | undefined {
  if (datagram.byteLength < HEADER_BYTES || datagram.byteLength > MAX_BYTES || (datagram[0] ?? 0) > 1) return undefined
  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength)
  const isFramed = bytes.readUInt32BE(4) === COOKIE && bytes.readUInt16BE(2) === bytes.byteLength - HEADER_BYTES
  const attributes = isFramed ? attributesOf(bytes.subarray(HEADER_BYTES)) : undefined
  if (!attributes) return undefined
  const transaction = bytes.toString('hex', 8, HEADER_BYTES)
  const type = bytes.readUInt16BE(0)
  const username = attributes.get(USERNAME)?.toString('latin1')
  const mapped = endpointOf(attributes.get(XOR_MAPPED_ADDRESS))
  if (type === REQUEST && username !== undefined && username.length <= MAX_USERNAME_BYTES && USERNAME_FORM.test(username))
    return { kind: 'request', transaction, username }
  return type === RESPONSE && mapped ? { kind: 'response', transaction, mapped } : undefined
}

/** The first of each type. Undefined: cut short, or with one that must be known and is not. */
function attributesOf(bytes: Buffer): Map<number, Buffer> | undefined {
  const attributes = new Map<number, Buffer>()
  for (let at = 0; at < bytes.byteLength;) {
    if (at + 4 > bytes.byteLength) return undefined
    const type = bytes.readUInt16BE(at)
    const length = bytes.readUInt16BE(at + 2)
    const end = at + 4 + length
    if (end > bytes.byteLength || (type < OPTIONAL_FROM && type !== USERNAME && type !== XOR_MAPPED_ADDRESS)) return undefined
    if (!attributes.has(type)) attributes.set(type, bytes.subarray(at + 4, end))
    at += 4 + padded(length)
  }
  return attributes
}

const padded = (length: number): number => Math.ceil(length / 4) * 4

/** Routers that rewrite addresses within datagrams do not know it masked. */
function xored({ host, port }: Endpoint): Buffer {
  const value = Buffer.alloc(8)
  value[1] = IPV4
  value.writeUInt16BE(port ^ (COOKIE >>> 16), 2)
  const address = host.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  value.writeUInt32BE((address ^ COOKIE) >>> 0, 4)
  return value
}

function endpointOf(value: Buffer | undefined): Endpoint | undefined {
  if (value?.byteLength !== 8 || value[1] !== IPV4) return undefined
  const address = (value.readUInt32BE(4) ^ COOKIE) >>> 0
  const host = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
  return { host, port: value.readUInt16BE(2) ^ (COOKIE >>> 16) }
}
