import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '@qmtcode/protocol/errors'
import { migrate } from './schema.ts'
import { createStoreMethods } from './store-methods.ts'
import { isStorageFailure, storageError } from './storage-error.ts'
import type { EventLogOptions, StoreMethod, StoreMethods } from './types.ts'

/** The file, opened. Synchronous: it lives in a thread of its own. */
export interface Store {
  /** Runs one method. Throws AppError. */
  run(call: StoreCall): unknown
  /** Runs writes in one transaction: each ends by itself with a value or an error, and a value means that it is on disk. */
  commit(calls: readonly StoreCall[]): StoreResult[]
  close(): void
}

export interface StoreCall {
  method: StoreMethod
  args: unknown[]
}
export type StoreResult = { value: unknown } | { error: AppError }

const DEFAULT_BUSY_TIMEOUT_MS = 5_000
const CHECKED_BYTES = 33_554_432 // a start of 1.5 s has no time for more; a larger file's damage shows when it is read

/** Throws bad_config with what SQLite said. */
export function openStore(options: EventLogOptions): Store {
  const { file } = options
  let db: DatabaseSync | undefined
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600)) // SQLite gives its -wal and -shm the same mode
    db = new DatabaseSync(file, { timeout: options.busyTimeoutMs ?? DEFAULT_BUSY_TIMEOUT_MS })
    prepare(db, options)
    return createStore(db, file)
  } catch (error) {
    db?.close()
    throw storageError(error, file, true)
  }
}

function prepare(db: DatabaseSync, options: EventLogOptions): void {
  const pageSize = Number(db.prepare('pragma page_size').get()?.['page_size'])
  const pages = Number(db.prepare('pragma page_count').get()?.['page_count'])
  if (pages * pageSize <= CHECKED_BYTES) {
    const verdict = String(db.prepare('pragma quick_check(1)').get()?.['quick_check'])
    if (verdict !== 'ok') throw Object.assign(new Error(verdict), { errcode: 11 })
  }
  migrate(db, options.file) // before this, nothing is written
  db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on')
  emptyWal(db) // a process that was killed right behind a deletion leaves the text in the -wal file
  if (options.maxBytes !== undefined) db.exec(`pragma max_page_count = ${Math.ceil(options.maxBytes / pageSize)}`)
}

/**
 * Moves what the -wal file holds into the database and cuts it to nothing: until then it has the pages as they were before a deletion.
 * Where this fails (another process reads, the disk is full), the deletion stands; the next one and the next start try again.
 */
function emptyWal(db: DatabaseSync): void {
  try {
    db.prepare('pragma wal_checkpoint(truncate)').get()
  } catch (error) {
    if (!isStorageFailure(error)) throw error
  }
}

function createStore(db: DatabaseSync, file: string): Store {
  const methods: StoreMethods = createStoreMethods(db)
  const apply = ({ method, args }: StoreCall): unknown => (methods[method] as (...args: unknown[]) => unknown)(...args)

  const commit = (calls: readonly StoreCall[]): StoreResult[] => {
    try {
      db.exec('begin immediate')
      const results = calls.map((call) => settle(call))
      db.exec('commit')
      return results
    } catch (error) {
      if (db.isTransaction) db.exec('rollback')
      if (calls.length === 1 || isStorageFailure(error)) return calls.map(() => ({ error: storageError(error, file, false) }))
      return calls.flatMap((call) => commit([call])) // one bad write must not take the others with it
    }
  }
  /** A method throws AppError before it has written anything; whatever else it throws ends the transaction. */
  const settle = (call: StoreCall): StoreResult => {
    try {
      return { value: apply(call) }
    } catch (error) {
      if (error instanceof AppError) return { error }
      throw error
    }
  }

  return {
    run: (call) => {
      try {
        return apply(call)
      } catch (error) {
        throw storageError(error, file, false)
      }
    },
    commit: (calls) => {
      const results = commit(calls)
      if (calls.some(({ method }) => method === 'remove')) emptyWal(db)
      return results
    },
    close: () => {
      if (db.isOpen) db.close()
    },
  }
}
