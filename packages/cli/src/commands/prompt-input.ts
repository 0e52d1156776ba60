import { AppError, LIMITS } from '@qmtcode/protocol'
import type { InputStream } from '../node-handle.ts'

/** The prompt of `run`: the argument, else all of stdin. Throws bad_request where there is none, too_large beyond the limit. */
export async function promptText(given: string | undefined, stdin: InputStream, signal: AbortSignal): Promise<string> {
  if (given === undefined && stdin.isTTY === true) {
    throw new AppError('bad_request', 'run needs a prompt', { hint: 'qmtcode run "what to do", or pipe it in' })
  }
  const text = given ?? (await readAll(stdin, signal))
  if (text.trim() === '') throw new AppError('bad_request', 'the prompt is empty', { hint: 'qmtcode run "what to do", or pipe it in' })
  return text
}

async function readAll(stdin: InputStream, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  // A pipe that nobody closes would keep the process.
  signal.addEventListener('abort', () => stdin.destroy?.(), { once: true })
  for await (const chunk of stdin) {
    size += chunk.length
    if (size > LIMITS.promptBytes) throw new AppError('too_large', `the prompt has more than ${LIMITS.promptBytes} bytes`)
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
