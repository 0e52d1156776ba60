import type { ModelPart } from '@qmtcode/protocol'

/**
 * Two streams that never end. `token`: what models say, ~50 characters of JSON each.
 * `block`: as large as it takes that 16 of them are a frame.
 */
export type DeltaKind = 'token' | 'block'

/** The mesh makes a frame of what it gathered at this size; the socket's side does the same, so that both send the same frames. */
const FRAME_CHARS = 65_536
const HEADER_BYTES = 9 // as every rpc frame: length, kind, call id
const BLOCK_CHARS = FRAME_CHARS / 16

const partOf = (text: string): ModelPart => ({ type: 'text-delta', id: '0', delta: text })
const PARTS: Record<DeltaKind, ModelPart> = {
  token: partOf('token '),
  block: partOf('x'.repeat(BLOCK_CHARS - JSON.stringify(partOf('')).length)),
}

/** How many deltas a frame of the socket's side holds. */
export const deltasAFrame = (kind: DeltaKind): number => Math.ceil(FRAME_CHARS / (JSON.stringify(PARTS[kind]).length + 1))

export async function* deltas(kind: DeltaKind, signal: AbortSignal): AsyncGenerator<ModelPart> {
  const part = PARTS[kind]
  while (!signal.aborted) yield part
}

export async function* encodeFrames(parts: AsyncIterable<ModelPart>): AsyncGenerator<Buffer> {
  let gathered: string[] = []
  let chars = 0
  for await (const part of parts) {
    const text = JSON.stringify(part)
    gathered.push(text)
    chars += text.length + 1
    if (chars < FRAME_CHARS) continue
    yield frameOf(`[${gathered.join(',')}]`)
    gathered = []
    chars = 0
  }
}

function frameOf(payload: string): Buffer {
  const length = Buffer.byteLength(payload)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length).fill(0, 0, HEADER_BYTES)
  frame.writeUInt32BE(length)
  frame.write(payload, HEADER_BYTES)
  return frame
}

/** Calls `onPart` for each delta of what `encodeFrames` made. */
export function createFrameReader(onPart: (part: ModelPart) => void): (bytes: Buffer) => void {
  let pieces: Buffer[] = []
  let held = 0
  let needed = HEADER_BYTES
  return (bytes) => {
    pieces.push(bytes)
    held += bytes.byteLength
    while (held >= needed) {
      const [joined = bytes] = pieces.length === 1 ? pieces : [Buffer.concat(pieces, held)]
      const end = HEADER_BYTES + joined.readUInt32BE()
      pieces = [joined]
      needed = end
      if (held < end) return
      for (const part of JSON.parse(joined.toString('utf8', HEADER_BYTES, end)) as ModelPart[]) onPart(part)
      pieces = [joined.subarray(end)]
      held -= end
      needed = HEADER_BYTES
    }
  }
}
