import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createSandbox } from '../sandbox/sandbox.ts'
import { createTools } from './tool-set.ts'
import type { ToolResult } from './types.ts'
import type { Workspace } from './workspace.ts'

export interface ToolKit extends AsyncDisposable {
  /** Holds `work`, `home` (QMT_HOME) and whatever a test puts beside them. */
  base: string
  workspace: Workspace
  progress: string[]
  write(path: string, content: string | Uint8Array): Promise<string>
  read(path: string): Promise<string>
  /** Runs a tool as if permitted. */
  call(
    name: string,
    input: Record<string, unknown>,
    options?: { signal?: AbortSignal; onProgress?: (text: string) => void },
  ): Promise<ToolResult>
}

/** Real tools over a temporary directory, in the sandbox if `confined`. Paths of `write` and `read` are relative to the workspace. */
export async function createToolKit(
  env: Record<string, string | undefined> = process.env,
  { confined = false, forGuest = false } = {},
): Promise<ToolKit> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'qmt-tools-')))
  const [root, qmtHome] = [join(base, 'work'), join(base, 'home')]
  await mkdir(root)
  await mkdir(qmtHome)
  const sandbox = confined ? createSandbox({ env }, { closed: [qmtHome, join(qmtHome, 'key')] }) : undefined
  const tools = createTools({ env, sandbox }, { qmtHome })
  const workspace = await tools.openWorkspace(root, 'ses_test', { forGuest })
  const progress: string[] = []
  let count = 0
  return {
    base,
    workspace,
    progress,
    async write(path, content) {
      const full = join(root, path)
      await mkdir(dirname(full), { recursive: true })
      await writeFile(full, content)
      return full
    },
    read: async (path) => await readFile(join(root, path), 'utf8'),
    async call(name, input, { signal, onProgress } = {}) {
      const tool = tools.get(name)
      if (!tool) throw new Error(`no tool ${name}`)
      const parsed = tool.inputSchema.parse(input)
      count += 1
      return await tool.execute(parsed, {
        callId: `call-${count}`,
        agent: 'main',
        workspace,
        path: await workspace.resolve(tool.target?.(parsed).path ?? '.'),
        signal: signal ?? new AbortController().signal,
        progress: onProgress ?? ((text) => progress.push(text)),
        ask: async () => ({ reason: 'nobody is here' }),
        hides: (real) => workspace.locate(real).place === 'private',
      })
    },
    [Symbol.asyncDispose]: async () => await rm(base, { recursive: true, force: true }),
  }
}

/** Whether a process runs; one that is dead but not yet collected does not. */
export async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (status !== undefined) return !/\) [ZX] /.test(status)
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux'
  } catch {
    return false
  }
}
