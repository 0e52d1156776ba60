import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { AppError } from '@qmtcode/protocol'

/** Throws bad_request unless `path` is an absolute path of an existing directory. `~` is the front door's to expand. */
export async function checkWorkspace(path: string): Promise<void> {
  if (!isAbsolute(path)) throw new AppError('bad_request', `workspace ${path} is not an absolute path`)
  let isDirectory: boolean
  try {
    isDirectory = (await stat(path)).isDirectory()
  } catch (cause) {
    throw new AppError('bad_request', `workspace ${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  if (!isDirectory) throw new AppError('bad_request', `workspace ${path} is not a directory`)
}
