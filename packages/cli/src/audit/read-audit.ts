import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { auditLineSchema } from '@qmtcode/protocol'
import type { AuditLine } from '@qmtcode/protocol'
import { KEPT_FILES } from './audit-file.ts'

const POLL_MS = 250
const MAX_LINE_CHARS = 20_000

/** Every line that is kept, the oldest first. What is no line is passed over, since a crash may have cut one, and `unread` told of it. */
export async function* readAudit(file: string, { unread }: { unread?(): void } = {}): AsyncGenerator<AuditLine> {
  for (let kept = KEPT_FILES; kept >= 1; kept -= 1) yield* linesOf(`${file}.${kept}`, { unread })
  yield* linesOf(file, { unread })
}

/** Lines that are written from now on, until `signal` aborts; over the change of a file, too. */
export async function* followAudit(file: string, { signal }: { signal: AbortSignal }): AsyncGenerator<AuditLine> {
  let at = await placeOf(file)
  while (!signal.aborted) {
    const now = await placeOf(file)
    if (now.inode !== at.inode) {
      if (at.inode !== undefined) yield* linesOf(`${file}.1`, { start: at.size })
      at = { inode: now.inode, size: 0 }
    }
    for await (const line of linesOf(file, { start: at.size, end: now.size })) yield line
    at = now
    await delay(POLL_MS, undefined, { signal }).catch(() => {})
  }
}

async function placeOf(file: string): Promise<{ inode?: number; size: number }> {
  try {
    const { ino, size } = await stat(file)
    return { inode: ino, size }
  } catch {
    return { size: 0 } // not written yet
  }
}

async function* linesOf(
  file: string,
  { start = 0, end = Infinity, unread }: { start?: number; end?: number; unread?(): void },
): AsyncGenerator<AuditLine> {
  if (start >= end) return
  const input = createReadStream(file, { start, end: end === Infinity ? undefined : end - 1 })
  const missing = new Promise<boolean>((resolve) => input.once('open', () => resolve(false)).once('error', () => resolve(true)))
  if (await missing) return
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    const parsed = line.length <= MAX_LINE_CHARS ? auditLineSchema.safeParse(parseJson(line)) : undefined
    if (parsed?.success) yield parsed.data
    else if (line !== '') unread?.()
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
