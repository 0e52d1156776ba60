import { basename } from 'node:path'
import { readScript, UNKNOWN } from './shell-script.ts'
import type { ShellScript, SimpleCommand } from './shell-script.ts'

type Commands = Pick<ShellScript, 'commands' | 'isClear'>

const set = (names: string): ReadonlySet<string> => new Set(names.split(' '))

/** Programs whose arguments are a command, somewhere behind their options. */
export const WRAPPERS = set(
  'env sudo doas su runuser pkexec nohup nice ionice chrt taskset timeout time stdbuf setsid setpriv xargs parallel watch strace ltrace ' +
    'flock unshare nsenter chroot fakeroot systemd-run script ssh busybox toybox command exec builtin',
)
/** Beside these, where a rule that restricts is concerned: some of their words begin a command, or all behind the first option. */
const STARTERS = new Set([...WRAPPERS, ...set('find fd fdfind npx bunx')])
export const SHELLS = set('sh bash dash zsh ksh mksh ash fish')
/** Beside shells: an argument of theirs is a script, or may be. */
const TAKE_SCRIPTS = set('trap env su runuser watch script ssh flock parallel')

/** As a rule names it, wherever the file of the program is. */
export const programOf = (words: readonly string[]): string => basename(words[0] ?? '')

const MAX_DEPTH = 8
const MAX_COMMANDS = 1_000
const MAX_WRAPPED = 100

let latest: { script: Commands; started: Commands } | undefined

/** Every command of a script, and those that its commands are given to start: rather too many than too few. */
export function startedCommands(script: Commands): Commands {
  // Several rules look at one command.
  if (latest?.script !== script) latest = { script, started: findStarted(script) }
  return latest.started
}

function findStarted(script: Commands): Commands {
  const commands: SimpleCommand[] = []
  let isClear = true
  const visit = (found: Commands, depth: number): void => {
    const all = found.commands.flatMap((command) => [command, ...wrapped(command)])
    isClear &&= found.isClear && depth <= MAX_DEPTH && commands.length + all.length <= MAX_COMMANDS
    if (depth > MAX_DEPTH || commands.length + all.length > MAX_COMMANDS) return
    commands.push(...all)
    for (const command of all) for (const text of scriptsIn(command)) visit(readScript(text), depth + 1)
  }
  visit(script, 0)
  return { commands, isClear: isClear && commands.every(({ words }) => !isStarter(words) || words.length <= MAX_WRAPPED) }
}

const isStarter = (words: readonly string[]): boolean => STARTERS.has(programOf(words).toLowerCase())

/** Where the options of the wrapper end is not known, so each word may be the program. */
function wrapped({ words, input }: SimpleCommand): SimpleCommand[] {
  if (!isStarter(words)) return []
  return words.slice(1, MAX_WRAPPED).map((_, at) => ({ words: words.slice(at + 1, MAX_WRAPPED), input }))
}

/** Texts that a command takes for scripts. */
function scriptsIn({ words, input }: SimpleCommand): readonly string[] {
  const program = programOf(words).toLowerCase()
  const given = words.slice(1)
  if (program === 'eval') return [given.join(' ')]
  if (SHELLS.has(program)) return shellScripts(given, input)
  if (!TAKE_SCRIPTS.has(program) || (program === 'env' && !given.some((word) => /^-(?:[^-]*S|-s)/.test(word)))) return []
  return given.map((word) => word.replace(/^(?:-[^-]*?S|--split-string=)/, ''))
}

/** Of a shell with a file as its argument, nothing: that is a program like any other. */
function shellScripts(given: readonly string[], input: readonly string[]): readonly string[] {
  const operand = given.find((word) => !/^[-+]/.test(word))
  const takesText = operand?.includes(UNKNOWN) === true || given.some((word) => /^[-+].*c/.test(word))
  if (takesText) return [...given.filter((word) => !/^[-+]/.test(word)), ...input]
  const readsInput = given.includes('-s') || operand === undefined
  return readsInput && input.length === 0 ? [UNKNOWN] : input
}
