import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { openEditor, pipeStream } from '../../packages/server/src/acp/editor-kit.ts'
import type { Editor, EditorOptions } from '../../packages/server/src/acp/editor-kit.ts'
import type { Machine } from './qmt.ts'

export const BIN = fileURLToPath(new URL('../../packages/cli/bin/qmtcode.js', import.meta.url))

export interface AcpProcess extends Editor {
  /** Closes stdin, as an editor that goes does. On stdout there must have been messages and nothing else. */
  end(): Promise<{ code: number | null; stderr: string }>
  /** By SIGKILL. */
  kill(): Promise<void>
  /** The editor is gone, with both of its pipes, or qmtcode gets a signal. Gives the exit code. */
  lose(how: 'pipes' | NodeJS.Signals): Promise<number | null>
}

/** `qmtcode --acp` on a machine, and an editor at its other end. */
export async function startAcp(machine: Machine, args: string[] = [], options: EditorOptions = {}): Promise<AcpProcess> {
  const child = spawn(process.execPath, [BIN, '--acp', ...args], { cwd: machine.home, env: machine.env, stdio: 'pipe' })
  const closed = once(child, 'close') as Promise<[number | null]>
  const stderr = text(child.stderr)
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('latin1')))
  const stream = pipeStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>)
  const editor = await openEditor(stream, options)
  const end = async () => {
    child.stdin.end()
    const [code] = await closed
    const lines = stdout.split('\n').filter((line) => line !== '')
    for (const line of lines) assert.equal((JSON.parse(line) as { jsonrpc?: string }).jsonrpc, '2.0', line)
    return { code, stderr: await stderr }
  }
  const endBy = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await closed
    await editor[Symbol.asyncDispose]()
  }
  return {
    ...editor,
    end,
    kill: () => endBy('SIGKILL'),
    lose: async (how) => {
      if (how !== 'pipes') child.kill(how)
      else for (const pipe of [child.stdin, child.stdout]) pipe.destroy()
      const [code] = await closed
      return code
    },
    [Symbol.asyncDispose]: () => endBy('SIGTERM'),
  }
}
