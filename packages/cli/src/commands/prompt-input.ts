import { AppError, LIMITS } from '@qmtcode/protocol'
import type { InputStream } from '../node-handle.ts'

/** How long a prompt that is there waits for a pipe to say something: whoever starts qmtcode may leave an open one that never does. */
const FIRST_BYTE_MS = 500

export interface PromptSource {
  stdin: InputStream
  signal: AbortSignal
  /** What a person should know of it. */
  notice(text: string): void
}

/**
 * The prompt of `run`: the argument, and what is piped in, behind it or alone. Throws bad_request where there is none, too_large beyond the limit.
 * A pipe that is silent beside an argument is left alone, and a notice says so.
 */
export async function promptText(given: string | undefined, source: PromptSource): Promise<string> {
  const { stdin, signal } = source
  if (given === undefined && stdin.isTTY === true) {
    throw new AppError('bad_request', 'run needs a prompt', { hint: 'qmtcode run "what to do", or pipe it in' })
  }
  const piped = given === undefined ? await readPrompt(stdin, signal) : await readBeside(source)
  const text = [given ?? '', piped].filter((part) => part.trim() !== '').join('\n\nFrom standard input:\n\n')
  if (text === '') throw new AppError('bad_request', 'the prompt is empty', { hint: 'qmtcode run "what to do", or pipe it in' })
  if (Buffer.byteLength(text) > LIMITS.promptBytes) throw tooLarge(PROMPT)
  return text
}

async function readBeside(source: PromptSource): Promise<string> {
  const { stdin, signal, notice } = source
  if (stdin.isTTY === true) return ''
  const says = await saysSomething(stdin, signal)
  if (says) return await readPrompt(stdin, signal)
  stdin.destroy?.()
  notice(
    `standard input is open, and nothing came within ${FIRST_BYTE_MS / 1_000} s: it is not read (to wait for it, pipe it in without a prompt)`,
  )
  return ''
}

/** Whether it has bytes or its end within the first moment. */
async function saysSomething(stdin: InputStream, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const yes = (): void => resolve(true)
  const no = (): void => resolve(false)
  const timer = setTimeout(no, FIRST_BYTE_MS)
  signal.addEventListener('abort', yes, { once: true })
  stdin.once('readable', yes).once('end', yes).once('error', yes)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', yes)
    stdin.off('readable', yes).off('end', yes).off('error', yes)
  }
}

interface TextBound {
  maxBytes: number
  what: string
}
const PROMPT: TextBound = { maxBytes: LIMITS.promptBytes, what: 'the prompt' }
const tooLarge = ({ maxBytes, what }: TextBound): AppError => new AppError('too_large', `${what} has more than ${maxBytes} bytes`)

const readPrompt = (stdin: InputStream, signal: AbortSignal): Promise<string> => readAll(stdin, { signal, ...PROMPT })

export async function readAll(stdin: InputStream, { signal, ...bound }: { signal: AbortSignal } & TextBound): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  // A pipe that nobody closes would keep the process.
  signal.addEventListener('abort', () => stdin.destroy?.(), { once: true })
  for await (const chunk of stdin) {
    size += chunk.length
    if (size > bound.maxBytes) throw tooLarge(bound)
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
