import { AppError } from '@qmtcode/protocol'
import { CommanderError } from 'commander'
import type { Command } from 'commander'
import type { GlobalOptions, Invocation, Parsed } from './invocation.ts'
import { createProgram } from './program.ts'
import type { RootValues } from './program.ts'
import { BARE } from './values.ts'

export interface ParseOptions {
  version: string
  /** Columns for help. */
  width?: number
}

/** What a command line means. Throws bad_request for one that means nothing. */
export function parseArguments(argv: readonly string[], options: ParseOptions): Parsed {
  const { args, configPath } = takeConfigFile(acpAsCommand(textsBehind(argv.map(explicitValue))))
  let invocation: Invocation | undefined
  const io = { out: '', error: '' }
  const program = createProgram({ ...options, io, invoke: (parsed) => (invocation = parsed) })
  try {
    program.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { globals: defaults, invocation: { command: 'print', text: io.out } }
    throw usageError(error, helpFor(program, args, error.message))
  }
  const values = program.opts<RootValues>()
  if (values.dashboard !== undefined) invocation = { command: 'not-built', what: '--dashboard' }
  if (invocation === undefined) throw new AppError('internal', `no command took ${JSON.stringify(argv)}`)
  return { globals: globalsOf(values, configPath), invocation }
}

const defaults: GlobalOptions = { mesh: { enabled: false, addresses: [], listen: [], connect: [] }, headless: false, waitMs: 5_000 }

/** Flags whose value needs `=`: a bare one never swallows the word after it. */
const OPTIONAL_VALUE = ['--mesh', '--dashboard']

function explicitValue(arg: string, index: number, argv: readonly string[]): string {
  if (argv.slice(0, index).includes('--')) return arg
  if (OPTIONAL_VALUE.includes(arg)) return `${arg}=${BARE}`
  if (OPTIONAL_VALUE.some((flag) => arg === `${flag}=`)) {
    throw new AppError('bad_request', `${arg} has no value`, { hint: `${arg}VALUE, or ${arg.slice(0, -1)} alone` })
  }
  return arg
}

/** A prompt that begins with a hyphen, such as "- fix a" or "--help me", is no option: options have no blank before their value. */
function textsBehind(argv: readonly string[]): string[] {
  if (argv.includes('--')) return [...argv]
  const isText = (arg: string, index: number): boolean => /^-[^=]*\s/.test(arg) && argv[index - 1]?.startsWith('-') !== true
  const texts = argv.filter(isText)
  return texts.length === 0 ? [...argv] : [...argv.filter((arg, index) => !isText(arg, index)), '--', ...texts]
}

const ACP = '--acp'
const WITH_ACP = ['--node', '--agent']

/** `--acp` with what belongs to it, as the command it is: behind the other options, which may come in any order. */
function acpAsCommand(argv: readonly string[]): string[] {
  const end = argv.indexOf('--')
  if (!argv.slice(0, end === -1 ? undefined : end).includes(ACP)) return [...argv]
  const rest: string[] = []
  const own: string[] = []
  for (let at = 0; at < argv.length; at += 1) {
    const arg = argv[at] ?? ''
    if (arg === ACP) continue
    const isOwn = WITH_ACP.some((flag) => arg === flag || arg.startsWith(`${flag}=`))
    const taken = isOwn && WITH_ACP.includes(arg) ? argv.slice(at, at + 2) : [arg]
    const into = isOwn ? own : rest
    into.push(...taken)
    at += taken.length - 1
  }
  return [...rest, 'acp', ...own]
}

const TAKES_VALUE = ['-c', '--config', '--wait', '--mesh-listen', '--mesh-connect', '--mesh-join', '--agent', '--model', '--session']

/** Takes out the configuration: the first word, where it ends in `.toml`. Without any word, the command is `start`. */
function takeConfigFile(argv: readonly string[]): { args: string[]; configPath?: string } {
  const first = firstWord(argv, 0)
  const word = argv[first]
  if (word === undefined) return { args: withCommand(argv) }
  if (!word.endsWith('.toml')) return { args: [...argv] }
  const args = argv.toSpliced(first, 1)
  return { args: firstWord(args, first) < args.length ? args : withCommand(args), configPath: word }
}

function firstWord(argv: readonly string[], from: number): number {
  let at = from
  for (; at < argv.length; at += 1) {
    const arg = argv[at] ?? ''
    if (arg === '--') return argv.length
    if (!arg.startsWith('-') || arg === '-') return at
    if (TAKES_VALUE.includes(arg)) at += 1
  }
  return at
}

const SHOWS_TEXT = ['-h', '--help', '-V', '--version']
const withCommand = (argv: readonly string[]): string[] => (argv.some((arg) => SHOWS_TEXT.includes(arg)) ? [...argv] : ['start', ...argv])

function globalsOf(values: RootValues, word: string | undefined): GlobalOptions {
  if (word !== undefined && values.config !== undefined) {
    throw new AppError('bad_request', `two configurations: ${word} and --config ${values.config}`, { hint: 'give one of them' })
  }
  const addresses = values.mesh.filter((address) => address !== BARE)
  return {
    configPath: word ?? values.config,
    mesh: {
      enabled: values.mesh.length > 0 || values.meshListen.length > 0 || values.meshConnect.length > 0 || values.meshJoin !== undefined,
      addresses,
      listen: values.meshListen,
      connect: values.meshConnect,
      ...(values.meshJoin !== undefined && { join: values.meshJoin }),
    },
    headless: values.headless,
    waitMs: values.wait,
  }
}

/** Whose help says more: the command's, except on an option of all commands. */
function helpFor(program: Command, args: readonly string[], message: string): string {
  const isGlobal = program.options.some(({ long }) => typeof long === 'string' && message.includes(`'${long}`))
  const command = program.commands.find((candidate) => args.includes(candidate.name()))
  if (isGlobal || command === undefined || command.name() === 'start') return 'qmtcode --help'
  const next = args[args.indexOf(command.name()) + 1]
  const words = [command, command.commands.find((candidate) => candidate.name() === next)].flatMap((found) => found?.name() ?? [])
  return `qmtcode ${words.join(' ')} --help`
}

/** Commander's message, with its suggestion as the hint. */
function usageError(error: CommanderError, help: string): AppError {
  const [first = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
  const near = suggestion?.match(/Did you mean (?:one of )?(.+)\?/)?.[1]
  return new AppError('bad_request', first.replaceAll(`=${BARE}`, '').replace(/^command-argument value /, ''), {
    hint: near === undefined ? help : `did you mean ${near}?`,
  })
}
