import { extname } from 'node:path'

const SIGNATURES: [string, string][] = [
  ['89504e470d0a1a0a', 'PNG image'],
  ['ffd8ff', 'JPEG image'],
  ['47494638', 'GIF image'],
  ['25504446', 'PDF document'],
  ['504b0304', 'ZIP archive (or a document in one)'],
  ['1f8b', 'gzip archive'],
  ['7f454c46', 'ELF program'],
  ['cafebabe', 'Java class or Mach-O program'],
  ['cffaedfe', 'Mach-O program'],
  ['4d5a', 'Windows program'],
  ['0061736d', 'WebAssembly module'],
  ['53514c69746520666f726d6174', 'SQLite database'],
]

/** A name for a person, by the first bytes, else by the file's extension. */
export function fileType(start: Uint8Array, path: string): string {
  const hex = Buffer.from(start.subarray(0, 16)).toString('hex')
  const known = SIGNATURES.find(([signature]) => hex.startsWith(signature))
  if (known) return known[1]
  const extension = extname(path)
  return extension === '' ? 'unknown type' : `${extension} file`
}

const MAX_STRANGE_SHARE = 0.3

/** Whether the first bytes of a file are no text: a NUL, or many that are neither UTF-8 nor a common control character. */
export function looksBinary(start: Uint8Array): boolean {
  if (start.includes(0)) return true
  const text = new TextDecoder().decode(start)
  let strange = 0
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    if (code === 0xff_fd || (code < 32 && code !== 9 && code !== 10 && code !== 12 && code !== 13 && code !== 27)) strange += 1
  }
  return strange > text.length * MAX_STRANGE_SHARE
}
