import { AppError, parseModelRef } from '@qmtcode/protocol'
import type { Right, SessionId } from '@qmtcode/protocol'
import { Command, Help } from 'commander'
import { addAuditCommand } from './audit-arguments.ts'
import { addBoardCommands } from './board-arguments.ts'
import { rootHelp } from './help.ts'
import type { AcpCommand, AttachOptions, Invocation, SessionPlace, StartOptions } from './invocation.ts'
import { addJoinCommands } from './join-arguments.ts'
import { addPeersCommands } from './peers-arguments.ts'
import {
  collectAddress,
  collectMesh,
  parseAllow,
  parseLimit,
  parseMode,
  parsePlace,
  parseRights,
  parseSeconds,
  parseSessionId,
} from './values.ts'

export interface RootValues {
  config?: string
  mesh: string[]
  meshListen: string[]
  meshConnect: string[]
  meshJoin?: string
  dashboard?: string
  headless: boolean
  wait: number
}

export interface ProgramOptions {
  version: string
  width?: number
  /** Where commander's own text goes. */
  io: { out: string; error: string }
  invoke(invocation: Invocation): void
}

const WORK = 'Work:'
const LOOK = 'Look:'
const MESH = 'Mesh:'
const SETUP = 'Set up:'

/** Commands that are planned: named, so that they say so instead of being unknown. */
const NOT_BUILT = ['logs', 'top']

/** The grammar of the command line. It runs nothing: a command only tells `invoke` what was meant. */
export function createProgram(options: ProgramOptions): Command {
  const program = new Command('qmtcode')
  program
    .exitOverride()
    .configureOutput({
      writeOut: (text) => (options.io.out += text),
      writeErr: (text) => (options.io.error += text),
      getOutHelpWidth: () => options.width ?? 100,
      getOutHasColors: () => false,
    })
    .helpCommand(false) // --help after a command says the same
    .helpOption('-h, --help', 'this text; also after a command')
    .version(options.version, '-V, --version', 'version')
  addRootOptions(program)
  const start = addStart(program, options.invoke)
  program.configureHelp({
    optionDescription: (option) => option.description, // defaults stand in the text
    visibleOptions(command) {
      const own = Help.prototype.visibleOptions.call(this, command)
      return command === program ? [...start.options, ...own] : own
    },
  })
  program
    .command('acp', { hidden: true }) // what --acp means
    .option('--node <name>', 'the sessions of this node, with its tools')
    .option('--agent <id>', 'agent or delegate of new sessions')
    .action((values: AcpCommand) => options.invoke({ command: 'acp', ...values }))
  addWork(program, options.invoke)
  addLook(program, options.invoke)
  addPeersCommands(program.commandsGroup(MESH), options.invoke)
  addJoinCommands(program, options.invoke)
  addAuditCommand(program, options.invoke)
  addSetup(program, options.invoke)
  for (const what of NOT_BUILT) {
    program
      .command(what, { hidden: true })
      .argument('[anything...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(() => options.invoke({ command: 'not-built', what }))
  }
  rootHelp(program, NOT_BUILT)
  return program
}

/** The first words of all commands. */
export function commandNames(): string[] {
  const program = createProgram({ version: '', io: { out: '', error: '' }, invoke: () => {} })
  return program.commands.map((command) => command.name())
}

/** What happens without a command; its options are shown with the program's own. */
function addStart(program: Command, invoke: ProgramOptions['invoke']): Command {
  return program
    .command('start', { hidden: true })
    .optionsGroup('Options of the chat:')
    .option('--agent <id>', 'agent or delegate (see: qmtcode agents)')
    .option('--model <model>', 'provider/model, or node:provider/model')
    .option('--session <id>', 'goes on with a session, as attach does', parseSessionId)
    .action((values: StartOptions) => {
      const given = (['agent', 'model'] as const).find((flag) => values.session !== undefined && values[flag] !== undefined)
      if (given !== undefined) throw new AppError('bad_request', `--${given} and --session exclude each other: a session keeps its own`)
      requireModelForm(values)
      invoke({ command: 'start', options: values })
    })
}

function addRootOptions(program: Command): void {
  program
    .usage('[config.toml] [options] [command]')
    .optionsGroup('Options, with every command:')
    .option('-c, --config <file>', 'configuration; also the first word, if it ends in .toml')
    .option('--wait <secs>', 'how long a command waits for the configured peers (default: 5)', parseSeconds, 5_000)
    .optionsGroup('Options of the mesh:')
    .option(
      '--mesh [=multiaddr]',
      'be a node of the mesh; listen on an address of this machine, dial any other; repeatable',
      collectMesh,
      [],
    )
    .option('--mesh-listen <multiaddr>', 'listen there; repeatable', collectAddress, [])
    .option('--mesh-connect <multiaddr>', 'dial it; repeatable', collectAddress, [])
    .option('--mesh-join <file>', 'join by the invite in this file (a path with a /), if not done already')
    .option('--headless', 'no chat: run the node until SIGINT or SIGTERM', false)
    .optionsGroup('Options for other programs:')
    .option('--acp', 'ACP on stdio, for editors; with --node NAME for the sessions of that node, --agent ID for new sessions')
    .optionsGroup('Not built yet:')
    .option('--dashboard [=host:port]', 'the web page')
}

function addWork(program: Command, invoke: ProgramOptions['invoke']): void {
  program.commandsGroup(WORK)
  program
    .command('run')
    .description('one prompt: the answer on stdout, all else on stderr')
    .argument('[prompt]', 'what to do; "-" or none: read from stdin')
    .option('--json', 'one session event a line')
    .option('--agent <id>', 'agent or delegate (see: qmtcode agents)')
    .option('--model <model>', 'provider/model, or node:provider/model')
    .option('--mode <mode>', 'build, or plan: looks and thinks, changes nothing', parseMode)
    .option('--node <name>', 'run the session on this node, with its tools')
    .option('--session <id>', 'continue a session', parseSessionId)
    .option('--allow <permissions>', 'allow without asking: edit,shell', parseAllow, [])
    .action((prompt: string | undefined, values: RunValues) => invoke(runOf(prompt, values)))
  addAttach(program, invoke)
}

function addAttach(program: Command, invoke: ProgramOptions['invoke']): void {
  const attach = program
    .command('attach')
    .description('the chat of a session that is there already, here or on another node')
    .argument(
      '[node]',
      'NODE/SESSION; NODE: choose one of its sessions; SESSION: one of this node; nothing: go on where you were',
      parsePlace,
    )
    .option('--new', 'begin a session there', false)
    .option('--agent <id>', 'with --new: an agent that the node shares')
    .option('--workspace <dir>', 'with --new: a directory that the node shares')
    .option('--model <model>', 'with --new: provider/model of that node')
    .option('--mode <mode>', 'with --new: build or plan', parseMode)
    .option('--no-follow', 'show what is there, and end')
    .option('--json', 'one session event a line', false)
  attach.action((place: SessionPlace | undefined, values: AttachValues) => {
    if (values.new && (place === undefined || place.session !== undefined))
      throw new AppError('bad_request', '--new begins a session: name the node alone')
    const given = (['agent', 'workspace', 'model', 'mode'] as const).find((flag) => !values.new && values[flag] !== undefined)
    if (given !== undefined) throw new AppError('bad_request', `--${given} is for --new: a session that is there keeps its own`)
    requireModelForm(values)
    invoke({ command: 'attach', ...place, ...values })
  })
}

type AttachValues = Omit<AttachOptions, keyof SessionPlace>

/** Only an agent of another maker, which is named or has a session already, may call a model otherwise. */
function requireModelForm({ agent, session, model }: { agent?: string; session?: string; model?: string }): void {
  if (model === undefined || agent !== undefined || session !== undefined || parseModelRef(model) !== undefined) return
  throw new AppError('bad_request', `--model ${model} is no model: expected provider/model, or node:provider/model`, {
    hint: 'to list them: qmtcode models',
  })
}

interface RunValues {
  json?: boolean
  agent?: string
  model?: string
  mode?: ReturnType<typeof parseMode>
  node?: string
  session?: ReturnType<typeof parseSessionId>
  allow: string[]
}

function runOf(prompt: string | undefined, values: RunValues): Invocation {
  if (values.node === 'any') return { command: 'not-built', what: 'run --node any' }
  if (values.session !== undefined && values.agent !== undefined) {
    throw new AppError('bad_request', '--agent and --session exclude each other: a session keeps its agent')
  }
  if (values.session !== undefined && values.mode !== undefined) {
    throw new AppError('bad_request', '--mode and --session exclude each other', { hint: 'in the chat of the session: /mode' })
  }
  requireModelForm(values)
  return { command: 'run', ...values, prompt: prompt === '-' ? undefined : prompt, json: values.json ?? false }
}

function addLook(program: Command, invoke: ProgramOptions['invoke']): void {
  program.commandsGroup(LOOK)
  const lists = [
    ['nodes', 'nodes of the mesh that we work with, this one first'],
    ['models', 'models here and on usable nodes'],
    ['agents', 'agents and delegates of the configuration'],
    ['routes', "where each agent's model calls go, and why"],
  ] as const
  for (const [command, description] of lists) {
    const list = program.command(command).description(description).option('--json', 'one JSON array')
    list.action(() => invoke({ command, json: isJson(list) }))
  }
  addDoctor(program, invoke)
  addSessions(program, invoke)
  addBoardCommands(program, invoke)
}

function addDoctor(program: Command, invoke: ProgramOptions['invoke']): void {
  const doctor = program
    .command('doctor')
    .description('what is wrong with this node, its configured peers or one peer, and what mends it')
    .argument('[node]', 'a name, a peer id or a multiaddr: a close look at it')
    .option('--json', 'JSON')
  doctor.action((target: string | undefined) => invoke({ command: 'doctor', target, json: isJson(doctor) }))
}

function addSessions(program: Command, invoke: ProgramOptions['invoke']): void {
  const sessions = program
    .command('sessions')
    .description('sessions here, on connected nodes, and those that members tell of: list; show, resume, fork, delete, share one')
    .option('--json', 'JSON')
  sessions.option('--limit <n>', 'at most so many, the newest first', parseLimit, 100)
  sessions.option('--watch', 'each session now, then each that changes, a line each, until Ctrl-C')
  sessions.action(() => {
    const { limit, watch } = sessions.opts<{ limit: number; watch?: boolean }>()
    invoke({ command: 'sessions', json: isJson(sessions), limit, ...(watch && { watch }) })
  })
  const one = [
    ['show', 'what happened in it', 'sessions show'],
    ['resume', 'continue a turn that was interrupted', 'sessions resume'],
    ['delete', 'remove it for good', 'sessions delete'],
  ] as const
  for (const [name, description, command] of one) {
    const child = sessions.command(name).description(description).argument('<session>', PLACE, parsePlace).option('--json', 'JSON')
    child.action((place: SessionPlace) => invoke({ command, ...sharedPlace(place), json: isJson(child) }))
  }
  addFork(sessions, invoke)
  addShares(sessions, invoke)
}

const PLACE = 'ses_…, or NODE/ses_…'

function addFork(sessions: Command, invoke: ProgramOptions['invoke']): void {
  const fork = sessions
    .command('fork')
    .description('a new session of yours, on the same node, with what happened in one')
    .argument('<session>', PLACE, parsePlace)
    .option('--at <event>', 'up to this: the number of an event, a message (msg_…), or a prompt (pr_…) and its turn; default: all')
    .option('--title <text>', 'default: the same')
    .option('--json', 'JSON')
  fork.action((place: SessionPlace, { at, title }: { at?: string; title?: string }) =>
    invoke({ command: 'sessions fork', ...sharedPlace(place), at, title, json: isJson(fork) }),
  )
}

function addShares(sessions: Command, invoke: ProgramOptions['invoke']): void {
  const share = sessions
    .command('share')
    .description('let another node take part in it')
    .argument('<session>', 'ses_…, or NODE/SESSION of one that you began there', parsePlace)
    .requiredOption('--with <node>', 'a peer (see: qmtcode nodes)')
    .requiredOption('--as <rights>', 'observe, prompt, approve or control, with commas between', parseRights)
    .option('--json', 'JSON')
  share.action((place: SessionPlace, { with: peer, as: rights }: { with: string; as: Right[] }) =>
    invoke({ command: 'sessions share', ...sharedPlace(place), peer, rights, json: isJson(share) }),
  )
  const unshare = sessions
    .command('unshare')
    .description('take back what share gave')
    .argument('<session>', 'ses_…, or NODE/SESSION', parsePlace)
    .requiredOption('--with <node>', 'a peer')
    .option('--json', 'JSON')
  unshare.action((place: SessionPlace, { with: peer }: { with: string }) =>
    invoke({ command: 'sessions share', ...sharedPlace(place), peer, rights: [], json: isJson(unshare) }),
  )
}

function sharedPlace({ node, session }: SessionPlace): { node?: string; id: SessionId } {
  if (session === undefined)
    throw new AppError('bad_request', `${node} is not a session`, { hint: 'ses_…, or NODE/ses_…; to list them: qmtcode sessions' })
  return { node, id: session }
}

function addSetup(program: Command, invoke: ProgramOptions['invoke']): void {
  program.commandsGroup(SETUP)
  const trust = program
    .command('trust')
    .description('what a workspace brings for programs and agents to obey; trusts it as it is')
    .argument('[dir]', 'default: this directory')
    .option('--json', 'JSON; changes nothing without --yes')
    .option('--yes', 'without a person at a terminal')
  trust.action((directory: string | undefined, { yes = false }: { yes?: boolean }) =>
    invoke({ command: 'trust', directory, json: isJson(trust), yes }),
  )
  const identity = program.command('identity').description("this node's peer id; rotate: a new one").option('--json', 'JSON')
  identity.action(() => invoke({ command: 'identity', json: isJson(identity) }))
  const show = identity.command('show').description("this node's peer id").option('--json', 'JSON')
  show.action(() => invoke({ command: 'identity', json: isJson(show) }))
  const rotate = identity.command('rotate').description('a new key, signed by the old one: peers follow').option('--json', 'JSON')
  rotate.option('--yes', 'without a person at a terminal')
  rotate.action(() => invoke({ command: 'identity rotate', json: isJson(rotate), yes: rotate.opts<{ yes?: boolean }>().yes === true }))
  const config = program.command('config').description('check the configuration, or print its JSON schema')
  config.action(() => {
    throw new AppError('bad_request', 'config needs to know what: check or schema', { hint: 'qmtcode config check' })
  })
  const check = config.command('check').description('read it and tell what is wrong').option('--json', 'JSON')
  check.action(() => invoke({ command: 'config check', json: isJson(check) }))
  config
    .command('schema')
    .description('its JSON Schema')
    .option('--json', 'it always is')
    .action(() => invoke({ command: 'config schema' }))
}

const isJson = (command: Command): boolean => command.optsWithGlobals<{ json?: boolean }>().json === true
