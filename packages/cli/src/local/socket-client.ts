import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readlink } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'

const SS = ['/usr/bin/ss', '/bin/ss', '/usr/sbin/ss', '/sbin/ss']
const TIMEOUT_MS = 2_000

/** The processes at the other end of a connection to the local socket; none where the system does not tell, as without `ss` of iproute2. */
export async function clientsOf(socket: Socket): Promise<number[]> {
  const program = SS.find((path) => existsSync(path))
  const inode = program === undefined ? undefined : await inodeOf(socket)
  if (program === undefined || inode === undefined) return []
  const options = { timeout: TIMEOUT_MS, maxBuffer: 64 * 1_048_576 }
  const { stdout } = await promisify(execFile)(program, ['-x', '-p', '-n', '-H'], options).catch(() => ({ stdout: '' }))
  return clientsIn(stdout, inode)
}

/** `u_str ESTAB 0 0 PATH INODE * PEER-INODE users:(("name",pid=1,fd=2),…)`; a path may hold spaces. */
export function clientsIn(listing: string, inode: string): number[] {
  const rows = listing.split('\n').flatMap((line) => {
    const found = / (\d+) +\S+ (\d+)(?: +(users:.*))?\s*$/.exec(line)
    return found ? [{ own: found[1], peer: found[2], users: found[3] ?? '' }] : []
  })
  const other = rows.find(({ own }) => own === inode)?.peer
  const users = rows.filter(({ own }) => own === other).map((row) => row.users)
  return [
    ...new Set(
      users
        .join(' ')
        .matchAll(/,pid=(\d+),/g)
        .map(([, pid]) => Number(pid)),
    ),
  ]
}

async function inodeOf(socket: Socket): Promise<string | undefined> {
  const { _handle: handle } = socket as Socket & { _handle?: { fd?: number } | null } // the one place where Node tells it
  if (handle?.fd === undefined || handle.fd < 0) return undefined
  const link = await readlink(`/proc/self/fd/${handle.fd}`).catch(() => '')
  return /^socket:\[(\d+)\]$/.exec(link)?.[1]
}
