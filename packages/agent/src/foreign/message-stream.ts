import type { Readable, Writable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import type { AnyMessage, Stream } from '@agentclientprotocol/sdk'
import { AppError, LIMITS, exceedsDepth } from '@qmtcode/protocol'

const MAX_LINE_BYTES = 33_554_432 // what agents themselves take
const MAX_JUNK_LINES = 50 // a banner or a stray print is forgiven
const SHOWN_JUNK_CHARS = 120
const NEWLINE = 10

export interface MessageStreamOptions {
  /** For messages: `agent claude`. */
  name: string
  /** Each message in order, before anybody else; true when it goes no further. Reading waits for it. */
  take(message: AnyMessage): Promise<boolean>
  /** Lines that are no messages. */
  onJunk(line: string): void
  /** Told once, when nothing more comes for a reason of its own. */
  onBroken(error: AppError): void
}

/** Messages over the pipes of a process, one a line. What is too long, or no message at all, ends the stream with an error that shows it. */
export function messageStream(pipes: { stdout: Readable; stdin: Writable }, options: MessageStreamOptions): Stream {
  return {
    readable: ReadableStream.from(messages(pipes.stdout, options)) as Stream['readable'],
    writable: new WritableStream<AnyMessage>({
      write: (message) =>
        new Promise((resolve, reject) => {
          pipes.stdin.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()))
        }),
    }),
  }
}

async function* messages(stdout: Readable, { name, take, onJunk, onBroken }: MessageStreamOptions): AsyncGenerator<AnyMessage> {
  let junk = 0
  try {
    for await (const line of linesOf(stdout, name)) {
      const message = parse(line)
      if (message) {
        if (!(await take(message))) yield message
        continue
      }
      junk += 1
      onJunk(line.toString('utf8', 0, SHOWN_JUNK_CHARS))
      if (junk > MAX_JUNK_LINES) throw noProtocol(name, line)
    }
  } catch (error) {
    const broken =
      error instanceof AppError ? error : new AppError('provider_error', `${name} cannot be read: ${String(error)}`, { cause: error })
    onBroken(broken)
    throw broken
  }
}

const noProtocol = (name: string, line: Buffer): AppError =>
  new AppError(
    'provider_error',
    `${name} does not speak ACP on its stdout: ${JSON.stringify(line.toString('utf8', 0, SHOWN_JUNK_CHARS))}`,
    {
      hint: 'does its command need an argument, such as acp? see docs/agents.md',
    },
  )

/** Nothing for what is no message. */
function parse(line: Buffer): AnyMessage | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value) || exceedsDepth(value, LIMITS.jsonDepth)) return undefined
    return 'jsonrpc' in value ? (value as AnyMessage) : undefined
  } catch {
    return undefined
  }
}

/** Lines that are not empty. Throws too_large. */
async function* linesOf(stdout: Readable, name: string): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = []
  let length = 0
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...pieces, chunk.subarray(from, at)])
      pieces = []
      length = 0
      from = at + 1
      if (line.length > 0) yield line
    }
    pieces.push(chunk.subarray(from))
    length += chunk.length - from
    if (length > MAX_LINE_BYTES) throw new AppError('too_large', `${name} wrote a line of more than ${MAX_LINE_BYTES} bytes`)
  }
}
