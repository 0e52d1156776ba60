import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 20

/** Ends a process group: SIGTERM, and SIGKILL for what is left after `graceMs`. Resolves when it is gone or killed. */
export async function endGroup(groupId: number, graceMs: number): Promise<void> {
  if (!signalGroup(groupId, 'SIGTERM')) return
  const deadline = performance.now() + graceMs
  while (performance.now() < deadline) {
    await delay(POLL_MS)
    if (!isGroupAlive(groupId)) return
  }
  signalGroup(groupId, 'SIGKILL')
}

export const isGroupAlive = (groupId: number): boolean => signalGroup(groupId, 0)

/** False when no process of the group is left. */
function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-groupId, signal)
    return true
  } catch {
    return false
  }
}
