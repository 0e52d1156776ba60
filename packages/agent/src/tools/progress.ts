import { stripVTControlCharacters } from 'node:util'

const INTERVAL_MS = 100
const MAX_CHARS = 8_000

/** Gathers live output, so that a chatty command makes ten events a second; of a flood only the latest is shown. */
export function createProgress(publish: (text: string) => void): { write(text: string): void; end(): void } {
  let pending = ''
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    const text = stripVTControlCharacters(pending)
    pending = ''
    if (text !== '') publish(text)
  }
  return {
    write(text) {
      pending = (pending + text).slice(-MAX_CHARS)
      timer ??= setTimeout(flush, INTERVAL_MS)
    },
    end: flush,
  }
}
