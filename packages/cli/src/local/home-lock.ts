import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '@qmtcode/protocol'
import { z } from 'zod'
import { requireClosedHome } from './closed-home.ts'

/** What a running node tells about itself beside its lock. */
export const nodeFileSchema = z.object({
  pid: z.int().positive(),
  version: z.string(),
  /** Path of the local API's socket. */
  socket: z.string(),
  /** Of the mesh configuration it runs with. */
  fingerprint: z.string(),
})
export interface NodeFile extends z.infer<typeof nodeFileSchema> {}

export interface HomeLock {
  /** Tells others how to reach this node; they may have been waiting for it. */
  publish(file: NodeFile): void
  /** The node stops: who comes now waits for the lock. */
  withdraw(): void
  release(): void
}

/**
 * The one node of a QMT_HOME. An exclusive transaction on `node.lock` is the lock: the kernel drops it with the process, however that
 * dies, so there is no stale lock and no pid to guess about. Undefined: another process has it.
 */
export function acquireHomeLock(home: string): HomeLock | undefined {
  prepareHome(home)
  const path = join(home, 'node.lock')
  const database = openLock(path)
  try {
    database.exec('begin exclusive')
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    const hint = isDamaged(error) ? `it holds nothing: rm ${path}` : `is ${home} on a disk that this user can write?`
    throw new AppError('bad_config', `cannot lock ${path}: ${(error as Error).message}`, { cause: error, hint })
  }
  const nodeFile = join(home, 'node.json')
  const withdraw = (): void => rmSync(nodeFile, { force: true })
  withdraw() // of a killed node
  let held = true
  return {
    publish: (file) => writeAtomically(nodeFile, `${JSON.stringify(file)}\n`),
    withdraw: () => {
      if (held) withdraw()
    },
    release: () => {
      if (!held) return
      held = false
      withdraw()
      database.close()
    },
  }
}

/** What the lock's holder published; undefined while it still starts. */
export function readNodeFile(home: string): NodeFile | undefined {
  try {
    return nodeFileSchema.parse(JSON.parse(readFileSync(join(home, 'node.json'), 'utf8')))
  } catch {
    return undefined
  }
}

function prepareHome(home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new AppError('bad_config', `cannot create ${home}: ${(cause as Error).message}`, {
      cause,
      hint: 'set QMT_HOME to a directory that you can write',
    })
  }
  requireClosedHome(home)
}

function openLock(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(path, { timeout: 0 })
    chmodSync(path, 0o600)
    return database
  } catch (cause) {
    throw new AppError('bad_config', `cannot open ${path}: ${(cause as Error).message}`, {
      cause,
      hint: 'set QMT_HOME to a directory that you can write',
    })
  }
}

const SQLITE_BUSY = 5
const SQLITE_NOTADB = 26
const isBusy = (error: unknown): boolean => (error as { errcode?: number }).errcode === SQLITE_BUSY
const isDamaged = (error: unknown): boolean => (error as { errcode?: number }).errcode === SQLITE_NOTADB

function writeAtomically(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, text, { mode: 0o600 })
  renameSync(temporary, path)
}
