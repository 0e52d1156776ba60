import { lstat, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@qmtcode/protocol'
import { obeyedName } from '../permissions/obeyed-files.ts'
import { isWithin } from '../tools/real-path.ts'
import { contentPrint } from './content-print.ts'
import { concerns, lookAt } from './look.ts'
import { openTrustedFiles } from './store.ts'
import type { BroughtFile, BroughtState, WorkspaceLook, WorkspaceTrust } from './types.ts'

export interface WorkspaceTrustOptions {
  /** Of the person; what lies right in it is theirs. */
  home?: string
  /** Bears what was trusted, in `trusted_workspaces.json`. */
  qmtHome: string
}

const MAX_NAMED = 5
/** Before a print: no. */
const DECLINED = 'not '

export function createWorkspaceTrust(options: WorkspaceTrustOptions): WorkspaceTrust {
  const { home } = options
  const trusted = openTrustedFiles(join(options.qmtHome, 'trusted_workspaces.json'))

  const look = async (directory: string): Promise<WorkspaceLook> => {
    const root = await realRoot(directory)
    const known = await trusted.of(root)
    const files = await lookAt(root, options)
    return { root, files: files.map((file) => ({ ...file, state: stateOf(file, known.get(file.path)) })) }
  }
  return {
    look,
    decide: async (directory, files, decision) => {
      const prints = files.map(({ path, print }): [string, string] => [path, decision === 'trust' ? print : DECLINED + print])
      await trusted.add(await realRoot(directory), new Map(prints))
    },
    isTrusted: async (root, name) => {
      if (home !== undefined && isWithin(root, home)) return true
      const print = await contentPrint(root, { path: join(root, name) })
      const known = await trusted.of(root)
      return Array.from(known).some(([path, one]) => path.toLowerCase() === name.toLowerCase() && one === print)
    },
    assertTrusted: async (directory) => {
      const { root, files } = await look(directory)
      const left = files.filter(({ state }) => state !== 'trusted')
      if (left.length === 0) return
      throw new AppError('forbidden', `nobody here has trusted what the workspace ${root} brings for programs to run: ${named(left)}`, {
        hint: `at this node, look at it, then: qmtcode trust ${quoted(root)}`,
      })
    },
    writing: async (root, { shown, place }) => {
      const path = place === 'workspace' ? listedPart(shown) : undefined
      if (path === undefined) return async () => {}
      const known = (await trusted.of(root)).get(path)
      const wasOurs = !(await isThere(join(root, path))) || (await contentPrint(root, { path: join(root, path) })) === known
      return async () => {
        const print = await contentPrint(root, { path: join(root, path) })
        if (wasOurs && print !== undefined) await trusted.add(root, new Map([[path, print]]))
      }
    },
  }
}

async function realRoot(directory: string): Promise<string> {
  try {
    return await realpath(directory)
  } catch (cause) {
    throw new AppError('bad_request', `the directory ${directory} cannot be opened: ${(cause as Error).message}`, { cause })
  }
}

function stateOf({ print }: BroughtFile, known: string | undefined): BroughtState {
  if (known === undefined) return 'new'
  if (known === DECLINED + print) return 'declined'
  return known === print ? 'trusted' : 'changed'
}

/** The file or directory of the list that holds a path, as a look finds it: the first from the top. */
function listedPart(shown: string): string | undefined {
  const parts = shown.split('/')
  const paths = parts.map((_, at) => parts.slice(0, at + 1).join('/'))
  return paths.find((path) => {
    const obeyed = obeyedName(path)
    return obeyed && concerns(obeyed)
  })
}

function named(files: readonly BroughtFile[]): string {
  const names = files.slice(0, MAX_NAMED).map(({ path }) => path.replaceAll(/\p{C}/gu, '?'))
  const more = files.length - names.length
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

const quoted = (path: string): string => (/^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`)

const isThere = async (path: string): Promise<boolean> =>
  await lstat(path).then(
    () => true,
    () => false,
  )
