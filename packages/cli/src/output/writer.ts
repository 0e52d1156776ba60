import type { OutputStream } from '../node-handle.ts'
import { wrapWords } from './wrap-words.ts'

/** One output of the process. Never throws: a reader that went away is `gone`, and what is written after it is dropped. */
export interface Writer {
  /** Columns of the terminal; undefined where it is none. */
  readonly width: number | undefined
  readonly isTTY: boolean
  /** Aborts when the reader went away (EPIPE) or the stream broke. */
  readonly gone: AbortSignal
  write(text: string): void
  line(text: string): void
  /** A line for a person: on a terminal it breaks at words, and commands to copy stay whole. */
  say(text: string): void
  /** Resolves when all that was written has left the process, or the reader is gone. */
  flush(): Promise<void>
}

export interface WriterOptions {
  /** Only people read it: each `line` is said. */
  isForPeople?: boolean
}

export function createWriter(stream: OutputStream, { isForPeople = false }: WriterOptions = {}): Writer {
  const gone = new AbortController()
  // Stays for the process's life: an EPIPE may come after the last write.
  stream.on('error', (error: Error) => gone.abort(error))
  const write = (text: string) => {
    if (!gone.signal.aborted && text !== '') stream.write(text)
  }
  const width = (): number | undefined => (stream.isTTY ? stream.columns : undefined)
  const say = (text: string): void => write(`${wrapWords(text, width() ?? 0)}\n`)
  return {
    get width() {
      return width()
    },
    isTTY: stream.isTTY === true,
    gone: gone.signal,
    write,
    line: isForPeople ? say : (text) => write(`${text}\n`),
    say,
    flush: () =>
      new Promise((resolve) => {
        if (gone.signal.aborted) return resolve()
        gone.signal.addEventListener('abort', () => resolve(), { once: true })
        stream.write('', () => resolve())
      }),
  }
}
