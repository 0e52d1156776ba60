import type { CutProxy } from '@qmtcode/testing'

const HEADER = 9 // [u32 payload length][u8 kind][u32 call id]

/** Gives, when it is called, the counts of bytes after which a frame from the target had ended, over all connections, in the order of arrival. */
export function frameEnds(proxy: CutProxy): () => number[] {
  const ends: number[] = []
  const open = new Map<number, Buffer>()
  let total = 0
  proxy.tap((connection, bytes) => {
    const from = total
    total += bytes.byteLength
    const before = open.get(connection) ?? Buffer.alloc(0)
    let rest = Buffer.concat([before, bytes])
    let at = from - before.byteLength
    while (rest.byteLength >= HEADER && rest.byteLength >= HEADER + rest.readUInt32BE(0)) {
      const length = HEADER + rest.readUInt32BE(0)
      at += length
      ends.push(at)
      rest = rest.subarray(length)
    }
    open.set(connection, rest)
  })
  return () => [...ends]
}
