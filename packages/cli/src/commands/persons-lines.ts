import { createInterface } from 'node:readline'
import type { InputStream } from '../node-handle.ts'

/** The lines of the person at the terminal, one for each that is asked for. */
export interface PersonsLines extends Disposable {
  /** Undefined where input has ended. */
  next(): Promise<string | undefined>
}

/** Listens from the first `next` on: what nobody asks for stays with the shell. Ctrl-C stays a signal. */
export function createPersonsLines(stdin: InputStream): PersonsLines {
  const early: string[] = []
  const waiting: ((line: string | undefined) => void)[] = []
  let hasEnded = false
  const take = (line: string): void => {
    const next = waiting.shift()
    if (next) next(line)
    else early.push(line)
  }
  const end = (): void => {
    hasEnded = true
    for (const next of waiting.splice(0)) next(undefined)
  }
  const listen = () => createInterface({ input: stdin, terminal: false }).on('line', take).on('close', end)
  let reader: ReturnType<typeof listen> | undefined
  return {
    next: async () => {
      reader ??= listen()
      const line = early.shift()
      if (line !== undefined || hasEnded) return line
      return await new Promise((resolve) => waiting.push(resolve))
    },
    [Symbol.dispose]: () => reader?.close(),
  }
}
