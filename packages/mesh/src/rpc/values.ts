import { AppError, LIMITS, exceedsDepth, packValue, unpackValue } from '@qmtcode/protocol'
import { weightOf } from './weight.ts'

/** JSON text longer than this travels as a chunk too, so that no frame is large and credits hold for it. */
const MAX_TEXT_CHARS = 131_072

/** A value ready to travel: its JSON, and the bytes that go before (items) or after (a call's input) it as chunk frames. */
export interface EncodedValue {
  text: string
  chunks: Uint8Array[]
  bytes: number
}

/** Throws too_large above the bytes of a call. */
export function encodeValue(value: unknown): EncodedValue {
  const { json, chunks } = isFlat(value) ? { json: value, chunks: NO_CHUNKS } : packValue(value, LIMITS.inlineBytes)
  let text = JSON.stringify(json) ?? 'null'
  if (text.length > MAX_TEXT_CHARS) {
    const all = [...chunks, Buffer.from(text)]
    text = JSON.stringify({ $type: 'json', index: all.length - 1 })
    return sized(text, all)
  }
  return chunks.length === 0 ? { text, chunks, bytes: text.length } : sized(text, chunks)
}

function sized(text: string, chunks: Uint8Array[]): EncodedValue {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, text.length)
  if (bytes > LIMITS.callBytes) throw tooLarge(bytes)
  return { text, chunks, bytes }
}

const NO_CHUNKS: Uint8Array[] = []

/** An object of texts, numbers and the like, as a token's delta: it travels as it is, and needs no walk either way. */
function isFlat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false
  const record = value as Record<string, unknown>
  for (const key in record) {
    if (key === '$type' || key === '__proto__' || (typeof record[key] === 'object' && record[key] !== null)) return false
  }
  return true
}

/** The items of one frame. Chunks that came before it belong to its only item. Throws bad_request. */
export function decodeItems(text: string, chunks: readonly Uint8Array[]): unknown[] {
  const items = parseJson(text)
  if (!Array.isArray(items)) throw new AppError('bad_request', 'an items frame that is not an array')
  if (chunks.length > 0) {
    if (items.length !== 1) throw new AppError('bad_request', `${items.length} items after chunks; one was expected`)
    return [decodeValue(items[0], chunks)]
  }
  return items.map((item: unknown) => (isFlat(item) ? item : decodeValue(item, chunks)))
}

/** Throws bad_request for what is too deep, for chunks that are missing, and for chunks that nothing refers to. `weigh` may refuse JSON of a chunk. */
export function decodeValue(json: unknown, chunks: readonly Uint8Array[], weigh: (json: Uint8Array) => unknown = weightOf): unknown {
  if (exceedsDepth(json, LIMITS.jsonDepth)) throw tooDeep()
  if (chunks.length === 0) return unpackValue(json, chunks)
  const used = new Set<number>()
  const large = largeTextOf(json, chunks)
  if (large) weigh(large.bytes)
  const body = large ? parseJson(textOf(large.bytes)) : json
  if (large) used.add(large.index)
  if (large && exceedsDepth(body, LIMITS.jsonDepth)) throw tooDeep()
  collectChunkIndexes(body, used)
  if (used.size !== chunks.length) throw new AppError('bad_request', `${chunks.length} chunks arrived, ${used.size} are referred to`)
  return unpackValue(body, chunks)
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AppError('bad_request', 'not JSON', { cause })
  }
}

function largeTextOf(json: unknown, chunks: readonly Uint8Array[]): { bytes: Uint8Array; index: number } | undefined {
  if (typeof json !== 'object' || json === null || !('$type' in json) || json.$type !== 'json') return undefined
  const index = 'index' in json && typeof json.index === 'number' ? json.index : -1
  const chunk = chunks[index]
  if (!chunk) throw new AppError('bad_request', 'JSON in a chunk that is not there')
  return { bytes: chunk, index }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')

/** The value's depth is checked before: the recursion is bounded. */
function collectChunkIndexes(json: unknown, into: Set<number>): void {
  if (typeof json !== 'object' || json === null) return
  if ('$type' in json && json.$type === 'chunk' && 'index' in json && typeof json.index === 'number') into.add(json.index)
  else for (const child of Object.values(json)) collectChunkIndexes(child, into)
}

/** Of one value. Ours are of 64 KiB, but for the last of each: a sixteenth of this. */
const MAX_CHUNK_FRAMES = 16_384

/** Puts chunk frames together again. */
export interface ChunkAssembler {
  /** Takes a chunk frame's payload, `[u8 last][bytes]`. Throws too_large, bad_request. */
  add(payload: Uint8Array): void
  /** What is whole since the last `take`. Throws bad_request when bytes are unfinished. */
  take(): Uint8Array[]
}

export function createChunkAssembler(): ChunkAssembler {
  let whole: Uint8Array[] = []
  let pieces: Uint8Array[] = []
  let bytes = 0
  let frames = 0
  return {
    add(payload) {
      bytes += payload.byteLength
      frames += 1
      if (frames > MAX_CHUNK_FRAMES) throw new AppError('too_large', `a value in more than ${MAX_CHUNK_FRAMES} pieces`)
      if (bytes > LIMITS.callBytes) throw tooLarge(bytes)
      const flag = payload[0] ?? 255
      if (flag > 1) throw new AppError('bad_request', `a chunk with the flag ${flag}`)
      pieces.push(payload.subarray(1))
      if (flag === 0) return
      whole.push(joined(pieces))
      pieces = []
    },
    take() {
      if (pieces.length > 0) throw new AppError('bad_request', 'a value whose last chunk is missing')
      const taken = whole
      if (taken.length > 0) whole = []
      bytes = frames = 0
      return taken
    },
  }
}

/** A plain Uint8Array, as whoever sent it had: a Buffer prints and serialises differently. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}

const tooDeep = (): AppError => new AppError('bad_request', `a value nests deeper than ${LIMITS.jsonDepth} levels`)
const tooLarge = (bytes: number): AppError =>
  new AppError('too_large', `a call's value of ${bytes} bytes; the limit is ${LIMITS.callBytes}`, { hint: 'send less at once' })
