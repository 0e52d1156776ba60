import type { Clock } from '@qmtcode/protocol'
import type { ByteStream } from './types.ts'

/** Items of a connection leave at most this often; measured to keep the p99 gap between tokens low at no cost in throughput. */
const GATHER_MS = 2

export interface Flushable {
  flush(): void
}

/**
 * Writes the dirty streams of one connection together, so that they cost one system call.
 * `now`: in this turn of the event loop, after all that is ready to run; `soon`: within 2 ms, at once when the connection was quiet.
 */
export interface Flusher {
  now(dirty: Flushable): void
  soon(dirty: Flushable): void
}

export function createFlusher(components: { clock: Clock; cork?: (flush: () => void) => void }): Flusher {
  const { clock, cork = (flush: () => void) => flush() } = components
  const dirty = new Set<Flushable>()
  let isScheduled = false
  let timer: NodeJS.Timeout | undefined
  let flushedAt = -Infinity

  const flush = (): void => {
    isScheduled = false
    clearTimeout(timer)
    timer = undefined
    flushedAt = clock.monotonic()
    const batch = [...dirty]
    dirty.clear()
    cork(() => {
      for (const one of batch) one.flush()
    })
  }
  const schedule = (): void => {
    if (isScheduled) return
    isScheduled = true
    process.nextTick(flush)
  }
  return {
    now(one) {
      dirty.add(one)
      schedule()
    },
    soon(one) {
      dirty.add(one)
      if (isScheduled || timer) return
      if (clock.monotonic() - flushedAt >= GATHER_MS) schedule()
      else timer = setTimeout(flush, GATHER_MS)
    },
  }
}

/** One flusher a connection: streams that share their `cork` share it, whichever side opened them. */
const flushers = new WeakMap<(flush: () => void) => void, Flusher>()

export function flusherOf(stream: ByteStream, clock: Clock): Flusher {
  const { cork } = stream
  if (!cork) return createFlusher({ clock })
  const known = flushers.get(cork)
  if (known) return known
  const made = createFlusher({ clock, cork })
  flushers.set(cork, made)
  return made
}
