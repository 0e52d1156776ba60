import { AppError } from './errors.ts'

/**
 * JSON with the three values that an LLM call has and JSON lacks: bytes, dates and URLs.
 * Tagged `{ "$type": … }`; an object of the user's own that has a `$type` key is wrapped, so nothing is ambiguous.
 * Bytes above `inlineBytes` leave the JSON and travel as chunks beside it, by index.
 */
export interface PackedValue {
  json: unknown
  chunks: Uint8Array[]
}

export function packValue(value: unknown, inlineBytes: number): PackedValue {
  const chunks: Uint8Array[] = []
  return { json: pack(value, chunks, inlineBytes), chunks }
}

/** The reverse. Throws bad_request for a tag it does not know or a chunk that is not there. */
export function unpackValue(json: unknown, chunks: readonly Uint8Array[]): unknown {
  return unpack(json, chunks)
}

function pack(value: unknown, chunks: Uint8Array[], inlineBytes: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) {
    if (value.byteLength <= inlineBytes) return { $type: 'bytes', base64: toBase64(value) }
    chunks.push(value)
    return { $type: 'chunk', index: chunks.length - 1 }
  }
  if (value instanceof Date) return { $type: 'date', iso: value.toISOString() }
  if (value instanceof URL) return { $type: 'url', href: value.href }
  if (Array.isArray(value)) return mapKept(value, (item) => pack(item, chunks, inlineBytes))
  const packed = mapValues(value as Record<string, unknown>, (item) => pack(item, chunks, inlineBytes))
  return '$type' in value ? { $type: 'object', value: packed } : packed
}

function unpack(value: unknown, chunks: readonly Uint8Array[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return mapKept(value, (item) => unpack(item, chunks))
  const record = value as Record<string, unknown>
  if (!('$type' in record)) return mapValues(record, (item) => unpack(item, chunks))
  switch (record['$type']) {
    case 'bytes':
      if (typeof record['base64'] === 'string') return fromBase64(record['base64'])
      break
    case 'chunk': {
      const chunk = typeof record['index'] === 'number' ? chunks[record['index']] : undefined
      if (chunk) return chunk
      break
    }
    case 'date': {
      const date = new Date(String(record['iso']))
      if (!Number.isNaN(date.getTime())) return date
      break
    }
    case 'url':
      if (typeof record['href'] === 'string' && URL.canParse(record['href'])) return new URL(record['href'])
      break
    case 'object':
      if (typeof record['value'] === 'object' && record['value'] !== null) {
        return mapValues(record['value'] as Record<string, unknown>, (item) => unpack(item, chunks))
      }
      break
  }
  throw new AppError('bad_request', `malformed tagged value: ${JSON.stringify(record['$type'])?.slice(0, 40)}`)
}

/** Returns the same array where nothing changed: most values are plain JSON, and deltas are many. */
function mapKept(items: unknown[], map: (item: unknown) => unknown): unknown[] {
  let copy: unknown[] | undefined
  for (let i = 0; i < items.length; i += 1) {
    const mapped = map(items[i])
    if (mapped !== items[i]) (copy ??= items.slice())[i] = mapped
  }
  return copy ?? items
}

function mapValues(record: Record<string, unknown>, map: (item: unknown) => unknown): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined
  for (const key of Object.keys(record)) {
    if (key === '__proto__') throw new AppError('bad_request', 'a value has a key "__proto__"')
    const mapped = map(record[key])
    if (mapped !== record[key]) (copy ??= { ...record })[key] = mapped
  }
  return copy ?? record
}

const BASE64_BLOCK = 0x8000 // arguments of one String.fromCharCode call

export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let i = 0; i < bytes.length; i += BASE64_BLOCK) binary += String.fromCharCode(...bytes.subarray(i, i + BASE64_BLOCK))
  return btoa(binary)
}

/** As all servers take it: padded, and without blanks. */
export const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)

/** Throws bad_request for what is not base64. */
export function fromBase64(text: string): Uint8Array {
  let binary: string
  try {
    binary = atob(text)
  } catch (cause) {
    throw new AppError('bad_request', 'not base64', { cause })
  }
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}
