import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../../packages/cli/bin/qmtcode.js', import.meta.url))
const KEY_NAMES = /_API_KEY$/
const START_TIMEOUT_MS = 15_000

export type QmtProcess = ChildProcessByStdio<null, Readable, Readable>

/** One machine of the demo: a QMT_HOME of its own, and the processes that run on it. */
export interface DemoNode extends AsyncDisposable {
  home: string
  spawn(args: string[]): QmtProcess
  run(args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>
  /** Starts a process that stays, and waits for a line. */
  startUntil(args: string[], line: RegExp): Promise<RegExpMatchArray>
}

export async function createNode(home: string, options: { keys: boolean; cwd?: string }): Promise<DemoNode> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  const children: QmtProcess[] = []
  const env = { ...withoutKeys(options.keys), QMT_HOME: home, NO_COLOR: '1' }

  const start = (args: string[]): QmtProcess => {
    const child = spawn(process.execPath, [BIN, ...args], { cwd: options.cwd ?? home, env, stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    return child
  }
  const run = async (args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> => {
    const child = start(args)
    const closed = once(child, 'close')
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    await closed
    return { code: child.exitCode, stdout, stderr }
  }
  return {
    home,
    spawn: start,
    run,
    startUntil: (args, line) => waitForLine(start(args), line),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(children.map(endChild))
    },
  }
}

/** The laptop gets no keys: that is the point. */
function withoutKeys(keep: boolean): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => keep || !KEY_NAMES.test(name)))
}

async function endChild(child: QmtProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill()
  await once(child, 'close')
}

async function waitForLine(child: QmtProcess, line: RegExp): Promise<RegExpMatchArray> {
  const signal = AbortSignal.timeout(START_TIMEOUT_MS)
  let seen = ''
  child.stdout.setEncoding('utf8')
  child.stderr.setEncoding('utf8')
  return await new Promise((resolve, reject) => {
    const look = (chunk: string): void => {
      seen += chunk
      const match = seen.match(line)
      if (match) resolve(match)
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.once('close', (code) => reject(new Error(`qmtcode ended with ${code}:\n${seen}`)))
    signal.addEventListener('abort', () => reject(new Error(`no line ${line} in ${START_TIMEOUT_MS} ms:\n${seen}`)))
  })
}
