import { readdirSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@qmtcode/protocol'

const WRITE_OF_OTHERS = 0o022 // the group's and everybody's
/** Only written by us, and closed when they are opened. */
const LOGS = /^(qmtcode\.log|audit\.jsonl)/

/**
 * Throws bad_config for a QMT_HOME in which somebody else can change what this node believes: who can write there can put another
 * key, other peers, another configuration or another socket into it. A link counts as what it leads to.
 */
export function requireClosedHome(home: string): void {
  if (process.platform === 'win32') return
  const found = statSync(home)
  requireOwn(home, found, 'or set QMT_HOME to a directory of your own')
  if (isOpen(found)) {
    throw new AppError('bad_config', `${home} has mode ${modeOf(found)}: other users can write there`, {
      hint: `chmod 700 ${quoted(home)}, or set QMT_HOME to a directory of your own`,
    })
  }
  for (const name of namesIn(home)) {
    if (!LOGS.test(name)) requireClosed(join(home, name))
  }
}

function namesIn(home: string): string[] {
  try {
    return readdirSync(home)
  } catch (cause) {
    throw new AppError('bad_config', `cannot look into ${home}: ${(cause as Error).message}`, {
      cause,
      hint: `chmod u+rwx ${quoted(home)}`,
    })
  }
}

function requireClosed(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found?.isFile() && !found?.isDirectory()) return // sockets are made anew at each start
  requireOwn(path, found, `if it is yours: sudo chown "$USER" ${quoted(path)}`)
  if (!isOpen(found)) return
  throw new AppError('bad_config', `${path} has mode ${modeOf(found)}: other users can change it`, {
    hint: `look at what it holds, then: chmod go-w ${quoted(path)}`,
  })
}

/** The superuser can write anywhere as it is. */
function requireOwn(path: string, { uid }: Stats, hint: string): void {
  const self = process.getuid?.()
  if (uid === self || uid === 0) return
  throw new AppError('bad_config', `${path} belongs to another user (uid ${uid}; this process runs as ${self})`, { hint })
}

const isOpen = ({ mode }: Stats): boolean => (mode & WRITE_OF_OTHERS) !== 0
const modeOf = ({ mode }: Stats): string => (mode & 0o777).toString(8)
const quoted = (path: string): string => (/^[\w./~-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`)
