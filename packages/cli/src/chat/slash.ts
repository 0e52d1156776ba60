import { AppError, didYouMean, isAppError, parseModelRef, sessionIdSchema } from '@qmtcode/protocol'
import type { AgentModels, SessionInfo, Sessions } from '@qmtcode/protocol'
import { isNode, nodeColumns, problemLines } from '../output/node-table.ts'
import { newest, sessionColumns } from '../commands/sessions.ts'
import { meshOf } from '../commands/context.ts'
import type { CommandContext } from '../commands/context.ts'
import type { NodeHandle } from '../node-handle.ts'
import { printableLine } from '../output/printable.ts'
import { renderTable } from '../output/table.ts'
import { seqOf } from '../commands/fork.ts'
import { recentSeq } from './conversation.ts'
import type { Conversation } from './conversation.ts'
import { personName, queueText, waitingPrompts, withdraw } from './waiting-prompts.ts'
import type { WaitingPrompt } from './waiting-prompts.ts'

export interface SlashContext {
  context: CommandContext
  node: NodeHandle
  /** Those that the chat is about: of this node, or of another. */
  sessions: Sessions
  conversation: Conversation
  print(text: string): void
  quit(): void
}

const HELP = `  /model [provider/model]  the model from now on; node:provider/model for another node's, agent/model for one that the agent brings
  /mode [build|plan]       plan: looks and thinks, changes nothing
  /title <words>           what the session is called
  /agent [id]              another agent, in a new session
  /new                     a new session
  /sessions                the newest sessions
  /open <id>               goes on with one of them; the beginning of its id is enough
  /nodes                   nodes of the mesh
  /fork [seq]              goes on in a session of your own, with what happened here (up to that event)
  /queue                   prompts that wait
  /withdraw <n>            takes one of them back
  /quit                    the end, as Ctrl-D
  Ctrl-C cancels what runs, again it quits. A line typed meanwhile waits its turn.
  Alt-Enter, or a backslash before Enter: another line. What you paste is one text, sent with Enter.
  Ctrl-D leaves, and what runs goes on where the node lives on; a window that is closed ends it.`

const COMMANDS = [
  '/help',
  '/model',
  '/mode',
  '/title',
  '/agent',
  '/new',
  '/sessions',
  '/open',
  '/nodes',
  '/fork',
  '/queue',
  '/withdraw',
  '/quit',
]

/** A line that begins with `/`. Throws bad_request for a command it does not know. */
export async function slash(line: string, components: SlashContext): Promise<void> {
  const { conversation, print } = components
  const [command = '', value] = line.trim().split(/\s+/, 2)
  switch (command) {
    case '/help':
      return print(HELP)
    case '/model':
      return await model(value, components)
    case '/mode':
      return await mode(value, components)
    case '/title':
      return await title(line.trim().slice(command.length).trim(), components)
    case '/agent':
      return await agent(value, components)
    case '/new':
      conversation.reset()
      return print('a new session begins with the next prompt')
    case '/sessions':
      return await sessions(components)
    case '/open':
      return await open(value, components)
    case '/nodes':
      return await nodes(components)
    case '/fork':
      return await fork(value, components)
    case '/queue':
      return await queue(components)
    case '/withdraw':
      return await takeBack(value, components)
    case '/quit':
      return components.quit()
    default:
      throw new AppError('bad_request', `unknown command ${printableLine(command, 40)}${didYouMean(command, COMMANDS)}`, { hint: '/help' })
  }
}

async function model(value: string | undefined, { conversation, node, sessions: port, print }: SlashContext): Promise<void> {
  if (value !== undefined) {
    const { agent } = conversation.id === undefined ? conversation.init : await port.get(conversation.id)
    if (parseModelRef(value) === undefined && !(await bringsModels(node, agent)))
      throw new AppError('bad_request', `${printableLine(value, 100)} is no model`, {
        hint: 'provider/model, or node:provider/model; to list them: qmtcode models',
      })
    await conversation.choose({ model: value })
    return print(`model: ${value}`)
  }
  const { agent, workspace, model: chosen } = conversation.id === undefined ? conversation.init : await port.get(conversation.id)
  const brought = agent === undefined ? undefined : await broughtBy(port, { agent, workspace }, print)
  if (brought) return print(broughtText(brought, chosen))
  const { defaultModel } = await node.status()
  const byDefault = defaultModel && 'model' in defaultModel ? defaultModel.model : 'none'
  print(`model: ${printableLine(chosen ?? conversation.init.model ?? `the agent's, or the default (${byDefault})`, 300)}`)
}

/** An agent of another maker, or one that this node does not know, may call its models as it likes. */
const bringsModels = async (node: NodeHandle, agent: string | undefined): Promise<boolean> =>
  agent !== undefined && !(await node.agents()).some(({ id, capabilities }) => id === agent && !capabilities.includes('acp'))

async function mode(value: string | undefined, { conversation, sessions: port, print }: SlashContext): Promise<void> {
  if (value === undefined) {
    const { mode: now = 'build' } = conversation.id === undefined ? conversation.init : await port.get(conversation.id)
    return print(`mode: ${now}`)
  }
  if (value !== 'build' && value !== 'plan')
    throw new AppError('bad_request', `${printableLine(value, 40)} is no mode${didYouMean(value, ['build', 'plan'])}`, {
      hint: '/mode build, /mode plan',
    })
  await conversation.choose({ mode: value })
  print(`mode: ${value}`)
}

async function title(value: string, { conversation, sessions: port, print }: SlashContext): Promise<void> {
  const { id } = conversation
  if (id === undefined) throw new AppError('bad_request', 'there is no session yet')
  if (value === '') return print(`title: ${printableLine((await port.get(id)).title, 200)}`)
  print(`title: ${printableLine((await port.configure(id, { title: value })).title, 200)}`)
}

const TELL_AFTER_MS = 500 // a wait that a person notices is explained

/** What an agent of another maker lets choose; nothing for one that uses the models of nodes. */
async function broughtBy(
  port: Sessions,
  query: { agent: string; workspace?: string },
  print: (text: string) => void,
): Promise<AgentModels | undefined> {
  const telling = setTimeout(() => print(`asking ${printableLine(query.agent, 100)} for its models …`), TELL_AFTER_MS)
  try {
    const [brought] = await port.agentModels(query)
    return brought
  } catch (error) {
    if (isAppError(error, 'forbidden', 'unsupported', 'not_found', 'bad_request')) return undefined // a host that is older, or does not tell
    throw error
  } finally {
    clearTimeout(telling)
  }
}

function broughtText({ agent, models, current, problem }: AgentModels, chosen: string | undefined): string {
  const now = `model: ${printableLine(chosen ?? current ?? `what ${agent} has set`, 300)}`
  if (problem !== undefined) return `${now}\n  its models are not known: ${printableLine(problem, 500)}`
  if (models.length === 0) return `${now}\n  ${printableLine(agent, 100)} lets nobody choose another`
  return [now, ...models.map(({ id, name }) => `  /model ${printableLine(id, 300)}  ${printableLine(name, 200)}`)].join('\n')
}

async function agent(value: string | undefined, { conversation, node, print }: SlashContext): Promise<void> {
  const agents = await node.agents()
  const ids = agents.map((candidate) => candidate.id)
  if (value === undefined)
    return print(agents.map(({ id, description }) => `  ${printableLine(id)}  ${printableLine(description)}`).join('\n'))
  const chosen = agents.find(({ id }) => id === value)
  if (!chosen) throw new AppError('not_found', `no agent ${value}${didYouMean(value, ids)}`, { hint: '/agent lists them' })
  if (chosen.kind === 'remote') {
    throw new AppError('unsupported', `${value} runs on another node: this chat has sessions of one node alone`, {
      hint: `in another terminal: qmtcode --agent ${value}`,
    })
  }
  conversation.reset({ agent: value })
  print(`agent: ${value}, in a new session`)
}

async function sessions({ context, sessions: port, print }: SlashContext): Promise<void> {
  const rows = await newest(port, 20)
  if (rows.length === 0) return print('no sessions yet')
  print(renderTable(sessionColumns(context.components.clock.now()), rows, { width: context.out.width }).join('\n'))
}

async function open(value: string | undefined, { sessions: port, conversation, print }: SlashContext): Promise<void> {
  if (value === undefined) throw new AppError('bad_request', '/open needs a session', { hint: '/sessions lists them' })
  const session = await meant(value, port)
  const earlier = recentSeq(session)
  const where = `${printableLine(session.agent)} on ${printableLine(session.node)} in ${printableLine(session.workspace)}`
  print(`${session.id} · ${where}${earlier > 0 ? ` · ${earlier} earlier events` : ''}`)
  conversation.attach({ id: session.id, after: earlier })
}

/** By its whole id, or by the beginning of one of the newest. */
async function meant(written: string, port: Sessions): Promise<SessionInfo> {
  const whole = sessionIdSchema.safeParse(written)
  if (whole.success) {
    const found = await port.get(whole.data).catch((error: unknown) => {
      if (!isAppError(error, 'not_found')) throw error
    })
    if (found) return found
  }
  const near = (await newest(port, 100)).filter(({ id }) => id.startsWith(written) || id.startsWith(`ses_${written}`))
  const [only, second] = near
  if (only && !second) return only
  const hint = '/sessions lists them'
  if (!only) throw new AppError('not_found', `no session ${printableLine(written, 40)}`, { hint })
  throw new AppError('ambiguous', `${printableLine(written, 40)} begins ${near.length} sessions: ${near.map(({ id }) => id).join(', ')}`, {
    hint,
  })
}

async function fork(value: string | undefined, { sessions: port, conversation, print }: SlashContext): Promise<void> {
  const { id } = conversation
  if (id === undefined) throw new AppError('bad_request', 'there is no session yet')
  const { id: forked, seq } = await port.fork(id, { at: value === undefined ? undefined : await seqOf(port, id, value) })
  conversation.attach({ id: forked, after: seq })
  print(`${forked}, with what happened in ${id}`)
}

/** What `/queue` showed last, by conversation: the numbers that the person sees. */
const shown = new WeakMap<Conversation, readonly WaitingPrompt[]>()

async function queue({ sessions: port, conversation, print }: SlashContext): Promise<void> {
  const waiting = conversation.id === undefined ? [] : await waitingPrompts(port, conversation.id)
  shown.set(conversation, waiting)
  print(queueText(waiting))
}

async function takeBack(value: string | undefined, { sessions: port, conversation, print }: SlashContext): Promise<void> {
  const { id } = conversation
  if (id === undefined) throw new AppError('bad_request', 'there is no session yet')
  const { author, text } = await withdraw(port, id, { number: value, shown: shown.get(conversation) })
  print(`withdrawn: ${personName(author)}: ${text}`)
}

async function nodes({ context, node, print }: SlashContext): Promise<void> {
  const rows = (await meshOf(node).peers.list()).filter(isNode)
  const table = renderTable(nodeColumns(rows, context.outStyle, { isOfPeers: false }), rows, {
    width: context.out.width,
    head: context.outStyle.dim,
  })
  print([...table, ...problemLines(rows).map(context.outStyle.yellow)].join('\n'))
}
