import { looksBinary } from '../tools/file-type.ts'

const SIGNATURES: readonly [hex: RegExp, mediaType: string][] = [
  [/^89504e470d0a1a0a/, 'image/png'],
  [/^ffd8ff/, 'image/jpeg'],
  [/^47494638/, 'image/gif'],
  [/^52494646.{8}57454250/, 'image/webp'],
  [/^25504446/, 'application/pdf'],
]

/** By its first bytes; a name proves nothing. */
export function mediaTypeOf(bytes: Uint8Array): string {
  const start = bytes.subarray(0, 8_192)
  const hex = Buffer.from(start.subarray(0, 16)).toString('hex')
  const known = SIGNATURES.find(([signature]) => signature.test(hex))
  if (known) return known[1]
  return looksBinary(start) ? 'application/octet-stream' : 'text/plain'
}
