import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes that a process holds after its garbage is gone. */
export interface Held {
  /** Resident, as the system counts it: does not always shrink with what is freed. */
  resident: number
  /** Objects and buffers. */
  live: number
}

/** Of this process. */
export async function held(): Promise<Held> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let round = 0; round < 3; round += 1) {
    collect()
    await new Promise((resolve) => setImmediate(resolve)) // finalizers run between
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { resident: rss, live: heapUsed + external }
}
