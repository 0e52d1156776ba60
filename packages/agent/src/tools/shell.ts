import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { stripVTControlCharacters } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { CommandLine } from '../sandbox/types.ts'
import type { Environment } from './environment.ts'
import { commandEnvironment } from './environment.ts'
import { createBoundedOutput } from './output.ts'
import type { BoundedOutput } from './output.ts'
import { spawnGuarded } from './orphan-guard.ts'
import { endGroup, isGroupAlive } from './process-group.ts'
import { createProgress } from './progress.ts'
import { defineTool } from './types.ts'
import type { Tool, ToolContext, ToolResult } from './types.ts'

const DEFAULT_TIMEOUT_S = 120
const MAX_TIMEOUT_S = 600
const KILL_GRACE_MS = 2_000
/** For what a finished command left behind: nobody waits for it to tidy up. */
const LEFTOVER_GRACE_MS = 300
/** A pipe that a background child holds never ends: after the command's own end, what is in it arrives within this. */
const DRAIN_MS = 100

const inputSchema = z.object({
  command: z.string().min(1).describe('Run by bash -c (sh where there is no bash) in the workspace'),
  timeout_seconds: z.number().positive().optional().describe(`Default ${DEFAULT_TIMEOUT_S}, at most ${MAX_TIMEOUT_S}`),
})

export function createShellTool(env: Environment): Tool {
  const shell = existsSync('/bin/bash') ? '/bin/bash' : existsSync('/usr/bin/bash') ? '/usr/bin/bash' : '/bin/sh'
  return defineTool({
    name: 'shell',
    description:
      'Run a shell command in the workspace. It has no input and no terminal; output and errors come together, with the exit code. ' +
      'Processes it leaves in the background are ended when it returns.',
    inputSchema,
    permission: 'shell',
    summary: ({ command }) => command,
    target: ({ command }) => ({ command }),
    execute: async ({ command, timeout_seconds = DEFAULT_TIMEOUT_S }, context) => {
      const [file = '', ...args] = context.words ?? [shell, '-c', inOrder(command)]
      const timeoutMs = Math.min(timeout_seconds, MAX_TIMEOUT_S) * 1_000
      const own = await commandEnvironment(env, context.workspace.root)
      return await runConfined({ file, args, env: own }, context, async (confined) => {
        using group = spawnGuarded(confined.file, confined.args, { cwd: context.workspace.root, env: confined.env })
        return await runCommand(group.child, timeoutMs, context)
      })
    },
  })
}

/** One pipe for both keeps the order of output and errors. */
const inOrder = (command: string): string => `exec 2>&1\n${command}`

/** The one place where a tool starts what a model wrote: in the sandbox, where there is one. */
async function runConfined(
  command: CommandLine,
  { workspace: { confinement }, signal }: ToolContext,
  run: (command: CommandLine) => Promise<ToolResult>,
): Promise<ToolResult> {
  if (confinement.kind !== 'sandbox') return await run(command)
  const confined = await confinement.wrap(command, signal)
  const left: string[] = []
  let result: ToolResult
  try {
    result = await run(confined)
  } finally {
    left.push(...((await confined.settle?.()) ?? []))
  }
  return { ...result, output: [result.output, ...left.map((line) => `[${line}]`)].join('\n') }
}

type End =
  | { kind: 'exit'; code: number | null; signal: NodeJS.Signals | null }
  | { kind: 'timeout' | 'cancelled' }
  | { kind: 'error'; error: Error }

async function runCommand(child: ChildProcess, timeoutMs: number, context: ToolContext): Promise<ToolResult> {
  const output = createBoundedOutput({ directory: context.workspace.outputDir, name: context.callId })
  const progress = createProgress((text) => context.progress(text))
  const reading = Promise.all([readAll(child.stdout, output, progress.write), readAll(child.stderr, output, progress.write)])
  const end = await endOf(child, timeoutMs, context.signal)
  const left = end.kind === 'exit' && child.pid !== undefined && (await isGroupAlive(child.pid))
  if (child.pid !== undefined) await endGroup(child.pid, end.kind === 'exit' ? LEFTOVER_GRACE_MS : KILL_GRACE_MS)
  await Promise.race([reading, delay(DRAIN_MS)])
  child.stdout?.destroy()
  child.stderr?.destroy()
  await reading
  progress.end()
  const text = stripVTControlCharacters(await output.end()).trimEnd()
  const notes = [left ? '[processes left in the background were ended]' : '', describeEnd(end, timeoutMs, context.words !== undefined)]
  return { output: [text, ...notes].filter((line) => line !== '').join('\n'), isError: end.kind !== 'exit' || end.code !== 0 }
}

/** How the command itself ends; its children may live on. */
function endOf(child: ChildProcess, timeoutMs: number, signal: AbortSignal): Promise<End> {
  return new Promise((resolve) => {
    const settle = (end: End): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve(end)
    }
    const onAbort = (): void => settle({ kind: 'cancelled' })
    const timer = setTimeout(() => settle({ kind: 'timeout' }), timeoutMs)
    child.on('error', (error) => settle({ kind: 'error', error }))
    child.on('exit', (code, killedBy) => settle({ kind: 'exit', code, signal: killedBy }))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

/** Never rejects: a pipe that is destroyed has ended. */
async function readAll(stream: ChildProcess['stdout'], output: BoundedOutput, progress: (text: string) => void): Promise<void> {
  if (!stream) return
  const decoder = new StringDecoder('utf8')
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const text = decoder.write(chunk)
      progress(text)
      await output.write(text)
    }
  } catch {
    // Destroyed while a background child held it.
  }
  await output.write(decoder.end())
}

/** How a shell reports a program that is not there. */
const NOT_FOUND = 127
const DIRECT = '; a rule of [permissions] allows this command without a shell, so its first word has to be a program'

function describeEnd(end: End, timeoutMs: number, isDirect: boolean): string {
  switch (end.kind) {
    case 'exit':
      if (end.signal !== null) return `[ended by ${end.signal}]`
      return `[exit code ${end.code}${isDirect && end.code === NOT_FOUND ? DIRECT : ''}]`
    case 'timeout':
      return `[killed: it took longer than ${timeoutMs / 1_000} s; a longer timeout_seconds may be given, at most ${MAX_TIMEOUT_S}]`
    case 'cancelled':
      return '[killed: the turn was cancelled]'
    case 'error':
      return `[not started: ${end.error.message}]`
  }
}
