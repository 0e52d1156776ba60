import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { obeyedName } from '../permissions/obeyed-files.ts'
import { isInRepository } from '../permissions/obeyed-places.ts'
import { isWithin, leadsThrough } from '../tools/real-path.ts'
import { scanObeyed } from './obeyed-scan.ts'
import type { FoundObeyed } from './obeyed-scan.ts'
import { isCopy } from '../tools/workspace.ts'
import type { ConfinedPlace } from './types.ts'

/** What a sandboxed command sees of the file system; all paths are real. The rest of the system is read-only. */
export interface SandboxPlan {
  /** Look empty, take files, and forget them with the command. Parents come first. */
  empty: string[]
  /** Read-only again, though below an empty directory. */
  readable: string[]
  writable: string[]
  /** Directories between a writable one and a closed one: they cannot be renamed, so a closed one keeps its path. */
  held: string[]
  /** Read-only in the workspace: what other programs run or obey. */
  fixed: string[]
  /** All of that which was there, in a plan for a peer. */
  obeyed: FoundObeyed[]
  closedDirectories: string[]
  closedFiles: string[]
  outputDir: string
  /** Stands in for the home and the temporary directory, where nothing can lie over them. */
  scratch: string
  cwd: string
  network: boolean
}

export interface PlanOptions {
  env: Readonly<Record<string, string | undefined>>
  /** Of the user who runs this: by the environment, and by the system. */
  homes: readonly string[]
  temporary: string
  /** QMT_HOME, and whatever else no tool may see. */
  closed: readonly string[]
  /** The person's additions, not for guests. */
  readable: readonly string[]
  writable: readonly string[]
}

/** Homes of all users, and where programs leave sockets and temporary files. */
const PRIVATE = ['/home', '/root', '/run', '/tmp', '/var/tmp', '/Users', '/var/root', '/var/run', '/var/folders']
const TOOL_VARIABLES = 'NVM_DIR VIRTUAL_ENV CONDA_PREFIX PYENV_ROOT JAVA_HOME GOROOT RUSTUP_HOME'.split(' ')
const TOOL_DIRECTORIES = '.nvm .pyenv .rustup .volta .asdf .sdkman/candidates .local/share/mise .local/share/fnm go/bin go/pkg'.split(' ')
/** Beside a `bin`: what its programs load. Not `share` and `etc`, where keyrings and settings lie. */
const BESIDE_BIN = ['lib', 'lib64', 'libexec', 'include']
/** Below /run: names of hosts, and programs on NixOS. */
const SYSTEM_READABLE = ['/etc/resolv.conf', '/run/current-system']

/** What only root and services read: no command needs it, and root does not have to be asked. */
const SYSTEM_CLOSED = (
  'shadow shadow- gshadow gshadow- sudoers sudoers.d ssh ssl/private krb5.keytab wireguard kubernetes docker rancher letsencrypt ' +
  'NetworkManager/system-connections'
)
  .split(' ')
  .map((name) => join('/etc', name))
/** All that a guest sees of the system, at its root: programs, and what they load. */
const GUEST_READABLE = new Set('usr bin sbin lib lib32 lib64 libx32 etc opt nix snap proc dev sys'.split(' '))

/** Each is a mount: with many more of them a command starts late. */
const MAX_FIXED = 1_000

/** A plan, or why a sandbox would protect nothing there. */
export async function planFor(place: ConfinedPlace, options: PlanOptions): Promise<SandboxPlan | string> {
  const { root } = place
  if ((await realOf(root)) !== root) return 'the workspace has moved'
  const homes = (await allReal(options.homes)).filter((home) => home !== '/')
  if (root === '/' || homes.some((home) => isWithin(root, home))) return 'the workspace holds your home directory'
  const closed = topmost([...(await withCopies(await allReal(options.closed))), ...(await allReal(SYSTEM_CLOSED))])
  if (closed.some((path) => isWithin(path, root))) return 'the workspace lies among the files of qmtcode'
  const { forGuest } = place
  const obeyed = forGuest ? await obeyedIn(root, options.env) : []
  if (typeof obeyed === 'string') return obeyed
  const fixed = await fixedOf(root, obeyed)
  if (fixed.length > MAX_FIXED) return `the workspace has more than ${MAX_FIXED} files that other programs run or obey`
  const writable = [root, ...(forGuest ? [] : await allReal(await thoseNotBy([root], options.writable)))]
  const hidden = await allReal([...PRIVATE, ...homes, options.temporary, ...(forGuest ? await othersOfRoot() : [])])
  const empty = hidden.filter((path) => path !== '/' && !isWithin(root, path)).toSorted((one, other) => one.length - other.length)
  const isDirectory = await Promise.all(closed.map(async (path) => (await stat(path)).isDirectory()))
  return {
    empty,
    readable: [
      ...(await programs(options, { writable, empty })),
      ...(forGuest ? [] : await allReal(await thoseNotBy(writable, options.readable))),
    ],
    writable,
    held: closed.flatMap((path) => between(writable, path)),
    closedDirectories: closed.filter((_, at) => isDirectory[at]),
    closedFiles: closed.filter((_, at) => isDirectory[at] === false),
    outputDir: place.outputDir,
    scratch: join((await realOf(options.temporary)) ?? options.temporary, 'qmtcode-sandbox'),
    cwd: root,
    fixed,
    obeyed,
    network: !forGuest,
  }
}

/** Whether a command sees what lies at a path, or in part below it. */
export function shows({ empty, readable, writable }: SandboxPlan, path: string): boolean {
  const isHidden = empty.some((directory) => isWithin(directory, path))
  return !isHidden || [...readable, ...writable].some((open) => isWithin(open, path) || isWithin(path, open))
}

/** Data of this machine: `/srv`, `/var`, `/mnt`, and whatever else stands there. */
async function othersOfRoot(): Promise<string[]> {
  const entries = await readdir('/', { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory() && !GUEST_READABLE.has(entry.name)).map(({ name }) => join('/', name))
}

/** What programs of the person need of the directories that look empty. */
async function programs(
  { env, homes }: PlanOptions,
  { writable, empty }: { writable: readonly string[]; empty: readonly string[] },
): Promise<string[]> {
  const path = (env['PATH'] ?? '').split(':').filter(isAbsolute)
  const beside = path.filter((directory) => basename(directory) === 'bin')
  const wanted = [
    ...path,
    ...beside.flatMap((directory) => BESIDE_BIN.map((name) => join(dirname(directory), name))),
    ...TOOL_VARIABLES.flatMap((name) => env[name]?.split(':') ?? []).filter(isAbsolute),
    ...homes.flatMap((home) => TOOL_DIRECTORIES.map((name) => join(home, name))),
    ...SYSTEM_READABLE,
  ]
  // One that holds an empty directory would show all that is to be hidden.
  return (await allReal(await thoseNotBy(writable, wanted))).filter(
    (real) => empty.some((hidden) => isWithin(hidden, real)) && !empty.some((hidden) => isWithin(real, hidden)),
  )
}

/** Those that no link leads to which commands can set: the next one would see what it leads to. */
async function thoseNotBy(writable: readonly string[], paths: readonly string[]): Promise<string[]> {
  const isBy = await Promise.all(
    paths.map(async (path) => (await Promise.all(writable.map(async (at) => await leadsThrough(at, path)))).includes(true)),
  )
  return paths.filter((_, at) => isBy[at] === false)
}

function between(writable: readonly string[], closed: string): string[] {
  const found: string[] = []
  if (!writable.some((directory) => isWithin(directory, closed))) return found
  for (let at = dirname(closed); !writable.includes(at); at = dirname(at)) found.unshift(at)
  return found
}

/** And what editors and tools left beside a closed file, with all of its text. */
async function withCopies(paths: readonly string[]): Promise<string[]> {
  const beside = await Promise.all(
    paths.map(async (path) => {
      if ((await stat(path)).isDirectory()) return [path]
      const names = await readdir(dirname(path)).catch(() => [])
      return [path, ...names.map((name) => join(dirname(path), name)).filter((other) => isCopy(path, other))]
    }),
  )
  return await allReal(beside.flat())
}

/** Without what lies in another of them. */
const topmost = (paths: readonly string[]): string[] =>
  paths.filter((path) => !paths.some((other) => other !== path && isWithin(other, path)))

/** What a command of a peer must not change there, or why nothing there may be changed. */
async function obeyedIn(root: string, { HOME: home, PATH: path }: PlanOptions['env']): Promise<FoundObeyed[] | string> {
  const around = obeyedName(root)
  if (around) return `the workspace lies where ${around.by} ${around.runs ? 'runs' : 'obeys'} what is written`
  if (await isInRepository(join(root, 'file'))) return 'the workspace lies inside a repository of git, where git runs what is written'
  const { found, isWhole } = await scanObeyed(root, { home, path })
  return isWhole ? found : 'the workspace has more files than can be looked at before each command'
}

/** Those nearest to the top, and what links among them lead to. Not the workspace itself. */
async function fixedOf(root: string, obeyed: readonly FoundObeyed[]): Promise<string[]> {
  const real = await allReal(obeyed.map(({ path }) => path))
  return real.filter((path) => path !== root && isWithin(root, path))
}

/** Those that exist, once each. */
async function allReal(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map(realOf))
  return [...new Set(found.filter((path) => path !== undefined))]
}

const realOf = async (path: string): Promise<string | undefined> => await realpath(path).catch(() => undefined)
