import { AppError, exitCodeOf } from '@qmtcode/protocol'
import { attach } from './chat/attach.ts'
import { audit } from './commands/audit.ts'
import { board } from './commands/board.ts'
import { chat } from './chat/chat.ts'
import { agents, routes } from './commands/agents.ts'
import { parseArguments } from './commands/arguments.ts'
import type { CommandContext } from './commands/context.ts'
import { forkSession } from './commands/fork.ts'
import { createInterrupts } from './commands/interrupts.ts'
import type { GlobalOptions, Invocation, StartOptions } from './commands/invocation.ts'
import { invite, invites, revokeInvite } from './commands/invite.ts'
import { join } from './commands/join.ts'
import { models } from './commands/models.ts'
import { nodes } from './commands/nodes.ts'
import { changePeer, peers } from './commands/peers.ts'
import { run } from './commands/run.ts'
import { serve } from './commands/serve.ts'
import { trust } from './commands/trust.ts'
import { watchSessions } from './commands/sessions-watch.ts'
import { deleteSession, resumeSession, sessions, showSession } from './commands/sessions.ts'
import { shareSession } from './commands/share.ts'
import { configCheck, configSchema, identity, rotateIdentity } from './commands/setup.ts'
import type { Components } from './node-handle.ts'
import { errorLines } from './output/errors.ts'
import { styleFor } from './output/style.ts'
import { createWriter } from './output/writer.ts'

/** As a shell reports a program that SIGHUP ended. */
const HUNG_UP = 129

/** Runs one command line to its end, all output written; returns the exit code. `argv` is without the program. */
export async function runCli(argv: readonly string[], components: Components): Promise<number> {
  const out = createWriter(components.stdout)
  const err = createWriter(components.stderr, { isForPeople: true })
  const errStyle = styleFor(components.stderr, components.env)
  const outStyle = styleFor(components.stdout, components.env)
  const interrupts = createInterrupts(components)
  try {
    const { globals, invocation } = parseArguments(argv, { version: components.version, width: out.width })
    const code = await execute(createContext(globals), invocation)
    return interrupts.isHungUp ? HUNG_UP : code
  } catch (error) {
    if (interrupts.isHungUp) return HUNG_UP
    if (interrupts.signal.aborted) return 130
    for (const line of errorLines(error, errStyle)) err.line(line)
    return exitCodeOf(error)
  } finally {
    interrupts.stop()
    await Promise.all([out.flush(), err.flush()])
  }

  function createContext(globals: GlobalOptions): CommandContext {
    return { components, globals, out, err, outStyle, errStyle, interrupts }
  }
}

async function execute(context: CommandContext, invocation: Invocation): Promise<number> {
  switch (invocation.command) {
    case 'print':
      context.out.write(invocation.text)
      return 0
    case 'not-built':
      context.err.line(`qmtcode ${invocation.what}: not built yet`)
      return 2
    case 'start':
      return await start(context, invocation.options)
    case 'run':
      return await run(context, invocation)
    case 'acp':
      return await (await import('./commands/acp.ts')).acp(context, invocation)
    case 'attach':
      return await attach(context, invocation)
    case 'nodes':
      return await nodes(context, invocation)
    case 'doctor':
      return await (await import('./commands/doctor.ts')).doctor(context, invocation)
    case 'models':
      return await models(context, invocation)
    case 'agents':
      return await agents(context, invocation)
    case 'routes':
      return await routes(context, invocation)
    case 'peers':
      return await peers(context, invocation)
    case 'board':
      return await board(context, invocation)
    case 'audit':
      return await audit(context, invocation)
    case 'peers change':
      return await changePeer(context, invocation)
    case 'invite':
      return await invite(context, invocation)
    case 'invites':
      return await invites(context, invocation)
    case 'invites revoke':
      return await revokeInvite(context, invocation)
    case 'join':
      return await join(context, invocation)
    case 'sessions':
      if (invocation.watch) return await watchSessions(context, invocation)
      return await sessions(context, invocation)
    case 'sessions fork':
      return await forkSession(context, invocation)
    case 'sessions share':
      return await shareSession(context, invocation)
    case 'sessions show':
      return await showSession(context, invocation)
    case 'sessions delete':
      return await deleteSession(context, invocation)
    case 'sessions resume':
      return await resumeSession(context, invocation)
    case 'trust':
      return await trust(context, invocation)
    case 'identity':
      return await identity(context, invocation)
    case 'identity rotate':
      return await rotateIdentity(context, invocation)
    case 'config check':
      return await configCheck(context, invocation)
    case 'config schema':
      return await configSchema(context)
  }
}

async function start(context: CommandContext, { session, ...init }: StartOptions): Promise<number> {
  if (hasChat(context)) {
    if (session === undefined) return await chat(context, init)
    return await attach(context, { session, new: false, follow: true, json: false })
  }
  const given = Object.entries({ session, ...init }).find(([, value]) => value !== undefined)
  if (given)
    throw new AppError('bad_request', `--${given[0]} is for the chat, and there is no terminal for one`, {
      hint: 'qmtcode run takes it too',
    })
  return await serve(context)
}

const hasChat = ({ components, globals }: CommandContext): boolean =>
  !globals.headless && components.stdin.isTTY === true && components.stdout.isTTY === true
