import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 20

/** Ends a process group: SIGTERM, and SIGKILL for what is left after `graceMs`. Resolves when it is gone or killed. */
export async function endGroup(groupId: number, graceMs: number): Promise<void> {
  if (!signalGroup(groupId, 'SIGTERM')) return
  const deadline = performance.now() + graceMs
  while (await isGroupAlive(groupId)) {
    if (performance.now() > deadline) {
      signalGroup(groupId, 'SIGKILL')
      return
    }
    await delay(POLL_MS)
  }
}

/** Whether a process of the group runs. The dead that their parent has not collected do not count, where the system tells. */
export async function isGroupAlive(groupId: number): Promise<boolean> {
  if (!signalGroup(groupId, 0)) return false
  if (process.platform !== 'linux') return true
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  if (pids.length === 0) return true
  const stats = await Promise.all(pids.map(async (pid) => await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')))
  return stats.some((stat) => isMember(stat, groupId))
}

/** `stat` is `pid (name) state parent group …`; a name may hold brackets and spaces. */
function isMember(stat: string, groupId: number): boolean {
  const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(group) === groupId && state !== 'Z' && state !== 'X'
}

/** False when no process of the group is left. */
function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-groupId, signal)
    return true
  } catch {
    return false
  }
}
