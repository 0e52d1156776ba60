import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { AppError, isAppError, toBase64 } from '@qmtcode/protocol'
import type { FileContent, FileQuery, SessionId, WorkspaceFile } from '@qmtcode/protocol'
import type { Permissions } from '../permissions/types.ts'
import type { Environment } from '../tools/environment.ts'
import type { ToolSet } from '../tools/types.ts'
import { walkFiles } from '../tools/walk-files.ts'
import { codeOf } from '../tools/workspace.ts'
import type { ResolvedPath, Workspace } from '../tools/workspace.ts'
import { bestMatches } from './fuzzy-match.ts'
import { mediaTypeOf } from './media-type.ts'

/** The files of workspaces, for people who name them: by the same rules as tools. Nothing outside of the workspace. */
export interface WorkspaceFiles {
  list(place: FilePlace, query: FileQuery): Promise<{ items: WorkspaceFile[]; more: boolean }>
  read(place: FilePlace, path: string): Promise<FileContent>
}

export interface FilePlace {
  sessionId: SessionId
  workspace: string
  /** A peer asks: what `[permissions]` do not allow to be read without a question is as if it were not there. For the own person it is what they deny. */
  isGuest: boolean
}

export interface WorkspaceFilesComponents {
  tools: Pick<ToolSet, 'openWorkspace'>
  permissions: Permissions
  env: Environment
}

const MAX_BYTES = 4_194_304
const MAX_WALKED = 100_000 // files looked at for one answer
const WALK_MS = 10_000
const MAX_WALKS = 8 // at once: each is a process
const DEFAULT_LIMIT = 200

export function createWorkspaceFiles({ tools, permissions, env }: WorkspaceFilesComponents): WorkspaceFiles {
  let walks = 0
  const enter = async ({ workspace: directory, sessionId, isGuest }: FilePlace) => {
    const workspace = await tools.openWorkspace(directory, sessionId)
    const rights = permissions.forSession({ allow: [], granted: [], forGuest: isGuest })
    const isOpen = (path: ResolvedPath): boolean => {
      if (path.place !== 'workspace') return false
      const { action } = rights.decide({ tool: 'read_file', permission: 'read', path })
      return action === 'allow' || (action === 'ask' && !isGuest) // who names a file here has been asked
    }
    return { workspace, isOpen }
  }
  const walk = async (workspace: Workspace, from: ResolvedPath, isOpen: (path: ResolvedPath) => boolean): Promise<Walked> => {
    if (walks >= MAX_WALKS) throw new AppError('busy', 'too many lists of files are being made here', { hint: 'try again in a moment' })
    walks += 1
    try {
      return await openFiles({ workspace, from, env, isOpen })
    } finally {
      walks -= 1
    }
  }
  return {
    list: async (place, { path = '.', match, limit = DEFAULT_LIMIT }) => {
      const { workspace, isOpen } = await enter(place)
      const from = await resolveWithin(workspace, path)
      const found = await lstat(from.real).catch(() => undefined)
      if (!found) throw new AppError('not_found', `${path} does not exist in the workspace`)
      if (!found.isDirectory()) throw new AppError('bad_request', `${path} is not a directory`)
      const { files, more } = await walk(workspace, from, isOpen)
      const entries = match === undefined ? entriesOf(files, from.shown) : bestMatches(withDirectories(files), match)
      const shown = await Promise.all(entries.slice(0, limit).map((entry) => sized(workspace, entry)))
      return { items: shown, more: more || entries.length > limit }
    },
    read: async (place, path) => {
      const { workspace, isOpen } = await enter(place)
      const file = await resolveWithin(workspace, path)
      if (!isOpen(file)) throw new AppError('forbidden', `[permissions] of the host do not let ${path} be read`)
      const bytes = await readBounded(file.real, path)
      return { path: file.shown, mediaType: mediaTypeOf(bytes), data: toBase64(bytes) }
    },
  }
}

/** Throws bad_request for what lies outside, and tells nothing of what is there. */
async function resolveWithin(workspace: Workspace, path: string): Promise<ResolvedPath> {
  const outside = () => new AppError('bad_request', `${path} is not in the workspace`)
  if (path.includes('\0')) throw new AppError('bad_request', 'a path cannot hold a NUL character')
  const named = workspace.locate(path)
  if (named.place === 'private') throw closed(path)
  if (named.place !== 'workspace') throw outside()
  let found: ResolvedPath
  try {
    found = await workspace.resolve(path)
  } catch (cause) {
    if (isAppError(cause)) throw cause
    throw new AppError('not_found', `${path} does not exist in the workspace`, { cause })
  }
  if (found.place === 'workspace') return found
  throw found.place === 'private' ? closed(path) : outside()
}

const closed = (path: string): AppError => new AppError('forbidden', `${path} is closed: it holds keys and state of qmtcode`)

async function readBounded(real: string, path: string): Promise<Uint8Array> {
  let file: FileHandle
  try {
    // O_NONBLOCK: a pipe without a writer must not hang the open. O_NOFOLLOW: it was resolved already.
    file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') throw new AppError('not_found', `${path} does not exist in the workspace`, { cause })
    throw new AppError('forbidden', `${path} cannot be read: ${codeOf(cause) ?? 'no permission'}`, { cause })
  }
  try {
    const info = await file.stat()
    if (!info.isFile()) throw new AppError('bad_request', `${path} is not a plain file`)
    if (info.size > MAX_BYTES) throw new AppError('too_large', `${path} has ${info.size} bytes; at most ${MAX_BYTES}`)
    const bytes = Buffer.alloc(info.size)
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return bytes.subarray(0, length)
  } finally {
    await file.close()
  }
}

interface Walked {
  /** Relative to the workspace. */
  files: string[]
  /** The walk stopped before its end. */
  more: boolean
}

interface WalkParts {
  workspace: Workspace
  from: ResolvedPath
  env: Environment
  isOpen(path: ResolvedPath): boolean
}

/** All files below a directory but those that git ignores; symlinks are left out. */
async function openFiles({ workspace, from, env, isOpen }: WalkParts): Promise<Walked> {
  const files: string[] = []
  let more = false
  let seen = 0
  const deadline = AbortSignal.timeout(WALK_MS)
  try {
    await walkFiles({
      root: workspace.root,
      from: from.real,
      env,
      signal: deadline,
      onFile: (file) => {
        const path = workspace.locate(file)
        if (isOpen(path)) files.push(path.shown)
        seen += 1
        more = seen > MAX_WALKED
        return !more
      },
    })
  } catch (error) {
    if (!deadline.aborted) throw error
    more = true
  }
  return { files, more }
}

type Entry = Pick<WorkspaceFile, 'path' | 'kind'>

/** What lies directly in a directory: directories first, each by name. A directory that holds no file is not seen. */
function entriesOf(files: readonly string[], directory: string): Entry[] {
  const prefix = directory === '.' ? '' : `${directory}/`
  const entries = new Map<string, Entry>()
  for (const file of files) {
    const rest = file.slice(prefix.length)
    const slash = rest.indexOf('/')
    const path = slash === -1 ? file : prefix + rest.slice(0, slash)
    if (!entries.has(path)) entries.set(path, { path, kind: slash === -1 ? 'file' : 'directory' })
  }
  return [...entries.values()].sort((a, b) => compare(a.kind, b.kind) || compare(a.path, b.path))
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

function withDirectories(files: readonly string[]): Entry[] {
  const directories = new Set<string>()
  for (const file of files) {
    for (let at = file.lastIndexOf('/'); at > 0; at = file.lastIndexOf('/', at - 1)) {
      const directory = file.slice(0, at)
      if (directories.has(directory)) break
      directories.add(directory)
    }
  }
  return [
    ...files.map((path): Entry => ({ path, kind: 'file' })),
    ...Array.from(directories, (path): Entry => ({ path, kind: 'directory' })),
  ]
}

async function sized(workspace: Workspace, { path, kind }: Entry): Promise<WorkspaceFile> {
  if (kind === 'directory') return { path, kind }
  const found = await lstat(resolve(workspace.root, path)).catch(() => undefined)
  return { path, kind, size: found?.size }
}
