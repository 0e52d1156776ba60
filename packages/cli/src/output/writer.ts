import type { OutputStream } from '../node-handle.ts'

/** One output of the process. Never throws: a reader that went away is `gone`, and what is written after it is dropped. */
export interface Writer {
  /** Columns of the terminal; undefined where it is none. */
  readonly width: number | undefined
  readonly isTTY: boolean
  /** Aborts when the reader went away (EPIPE) or the stream broke. */
  readonly gone: AbortSignal
  write(text: string): void
  line(text: string): void
  /** Resolves when all that was written has left the process, or the reader is gone. */
  flush(): Promise<void>
}

export function createWriter(stream: OutputStream): Writer {
  const gone = new AbortController()
  // Stays for the process's life: an EPIPE may come after the last write.
  stream.on('error', (error: Error) => gone.abort(error))
  const write = (text: string) => {
    if (!gone.signal.aborted && text !== '') stream.write(text)
  }
  return {
    get width() {
      return stream.isTTY ? stream.columns : undefined
    },
    isTTY: stream.isTTY === true,
    gone: gone.signal,
    write,
    line: (text) => write(`${text}\n`),
    flush: () =>
      new Promise((resolve) => {
        if (gone.signal.aborted) return resolve()
        gone.signal.addEventListener('abort', () => resolve(), { once: true })
        stream.write('', () => resolve())
      }),
  }
}
