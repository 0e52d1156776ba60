import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Answer, Script } from './script.ts'

export interface SpawnedLlm extends AsyncDisposable {
  readonly url: string
  stop(): Promise<void>
}

/** The scripted server in a child process, on a host of a network lab if `on` is one. `always` answers every call alike; `script` as `startScriptedLlm`. */
export async function spawnScriptedLlm(
  order: { script: Script } | { always: Answer },
  { on }: { on?: { enter: readonly string[] } } = {},
): Promise<SpawnedLlm> {
  const worker = fileURLToPath(new URL('./llm-worker.ts', import.meta.url))
  const [command, ...words] = [...(on?.enter ?? []), process.execPath, worker, JSON.stringify(order)]
  const child = spawn(command ?? process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const url = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    exited.then(([code]) => Promise.reject(new Error(`the scripted model server ended with code ${String(code)}`))),
  ])
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await exited
  }
  return { url, stop, [Symbol.asyncDispose]: stop }
}
