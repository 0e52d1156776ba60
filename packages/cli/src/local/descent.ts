import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { promisify } from 'node:util'
import { TOOL_VARIABLE } from '@qmtcode/agent/vocabulary'

const MAX_DEPTH = 100

/**
 * Whether process `pid` is a tool's, of the node `node` or of any other: by its ancestors, or by what its environment inherited, which
 * stays where its ancestors have ended. Who writes a program to get around this can; a sandbox is what holds.
 */
export async function isToolOf(node: number | undefined, pid: number): Promise<boolean> {
  if (node !== undefined && (await descendsFrom(node, pid))) return true
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
  return environment.split('\0').some((line) => line.startsWith(`${TOOL_VARIABLE}=`))
}

/** Whether process `pid` was started by process `ancestor`, directly or through others that still run. */
async function descendsFrom(ancestor: number, pid: number): Promise<boolean> {
  let at: number | undefined = pid
  for (let depth = 0; at !== undefined && at > 1 && depth < MAX_DEPTH; depth += 1) {
    at = await parentOf(at)
    if (at === ancestor) return true
  }
  return false
}

async function parentOf(pid: number): Promise<number | undefined> {
  if (process.platform !== 'linux') return await parentByPs(pid)
  // `pid (name) state parent …`; a name may hold brackets and spaces.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return parent === undefined ? undefined : Number(parent)
}

async function parentByPs(pid: number): Promise<number | undefined> {
  if (process.platform === 'win32') return undefined
  const { stdout } = await promisify(execFile)('/bin/ps', ['-o', 'ppid=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  const parent = Number.parseInt(stdout, 10)
  return Number.isNaN(parent) ? undefined : parent
}
