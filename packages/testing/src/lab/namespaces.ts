import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { ipIn, shell } from './shell.ts'

const NETNS = '/run/netns'
/** `ip netns exec` lays the files of this directory's namespace over /etc. */
const ETC = '/etc/netns'
const OURS = /^qmt-(\d+)-/
let labs = 0

/** `qmt-<pid>-<lab>-`: files that run at the same time never meet, and a dead owner shows. */
export function newPrefix(): string {
  labs += 1
  return `qmt-${process.pid}-${labs}-`
}

export async function createNamespace(name: string, names: Record<string, string> = {}): Promise<void> {
  await mkdir(join(ETC, name), { recursive: true })
  await writeNames(name, names)
  await writeFile(join(ETC, name, 'resolv.conf'), 'nameserver 127.0.0.1\n') // nobody there: a lookup fails at once
  await shell('ip', ['netns', 'add', name])
  await ipIn(name, 'link set lo up')
}

/** In place, so that running processes see it too. */
export async function writeNames(name: string, names: Record<string, string>): Promise<void> {
  const lines = Object.entries({ localhost: '127.0.0.1', ...names }).map(([host, address]) => `${address} ${host}\n`)
  await writeFile(join(ETC, name, 'hosts'), lines.join(''))
}

/** Ends every process in it, then removes it. What is gone already is fine. */
export async function removeNamespace(name: string): Promise<void> {
  const pids = await shell('ip', ['netns', 'pids', name]).catch(() => '')
  for (const pid of pids.split('\n').filter(Boolean)) kill(Number(pid))
  await shell('ip', ['netns', 'del', name]).catch(() => undefined)
  await rm(join(ETC, name), { recursive: true, force: true })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}

/** Removes what labs of dead processes left behind. */
export async function sweep(): Promise<void> {
  const left = new Set([...(await listed(NETNS)), ...(await listed(ETC))])
  for (const name of left) {
    const owner = OURS.exec(name)?.[1]
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) await removeNamespace(name)
  }
}

const listed = (directory: string): Promise<string[]> => readdir(directory).catch(() => [])
