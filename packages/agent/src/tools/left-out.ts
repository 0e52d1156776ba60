import { opendir } from 'node:fs/promises'
import { join } from 'node:path'

/** What lies below a directory, whatever ignore rules say. */
export interface Whole {
  files: string[]
  links: number
  /** More than was looked at. */
  more: boolean
}

const MAX_ENTRIES = 20_000
const MAX_MS = 2_000

/** Looks at everything below a directory but `.git`, bounded: for the sentence that says why a search found nothing. */
export async function wholeOf(from: string, hides: (path: string) => boolean): Promise<Whole> {
  const whole: Whole = { files: [], links: 0, more: false }
  const waiting = [from]
  const until = performance.now() + MAX_MS
  let seen = 0
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const entries = await opendir(directory).catch(() => undefined)
    if (!entries) continue
    for await (const entry of entries) {
      seen += 1
      if (seen > MAX_ENTRIES || performance.now() > until) return { ...whole, more: true }
      const path = join(directory, entry.name)
      if (entry.name === '.git' || hides(path)) continue
      if (entry.isDirectory()) waiting.push(path)
      if (entry.isFile()) whole.files.push(path)
      if (entry.isSymbolicLink()) whole.links += 1
    }
  }
  return whole
}
