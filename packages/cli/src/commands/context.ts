import { TOOL_VARIABLE } from '@qmtcode/agent/vocabulary'
import { refusal } from '../node/persons-trust.ts'
import { AppError } from '@qmtcode/protocol'
import type { Peers, Trust } from '@qmtcode/protocol'
import type { Components, NodeHandle, OpenNodeOptions } from '../node-handle.ts'
import { printableLine } from '../output/printable.ts'
import type { Style } from '../output/style.ts'
import type { Writer } from '../output/writer.ts'
import type { Interrupts } from './interrupts.ts'
import type { GlobalOptions } from './invocation.ts'

/** What every command gets. */
export interface CommandContext {
  components: Components
  globals: GlobalOptions
  out: Writer
  err: Writer
  outStyle: Style
  errStyle: Style
  interrupts: Interrupts
}

export interface WithNodeOptions {
  serve?: boolean
  /** Wait for the configured peers, as `--wait` says. */
  needsPeers?: boolean
  /** Where this command begins the node: with the mesh, whatever the configuration says. */
  withMesh?: OpenNodeOptions['withMesh']
}

/** Opens a node, or reaches the one that runs; closes it whatever happens. */
export async function withNode<Value>(
  context: CommandContext,
  options: WithNodeOptions,
  use: (node: NodeHandle) => Promise<Value>,
): Promise<Value> {
  const { interrupts } = context
  const node = await openNode(context, options)
  try {
    return await interrupts.race(use(node))
  } finally {
    if (options.serve !== true && !interrupts.signal.aborted) await stayForOthers(context, node)
    await node.close()
  }
}

/** To be closed by the caller. */
export async function openNode(
  { components, globals, interrupts, err, errStyle }: CommandContext,
  options: WithNodeOptions,
): Promise<NodeHandle> {
  const opening = components.openNode({
    configPath: globals.configPath,
    mesh: globals.mesh,
    serve: options.serve ?? false,
    withMesh: options.withMesh,
    waitMs: options.needsPeers === true ? globals.waitMs : 0,
    dialWaitMs: globals.waitMs,
    signal: interrupts.signal,
    notice: (line) => err.line(errStyle.yellow(printableLine(line, 1_000))),
  })
  return await interrupts.race(opening, (late) => late.close())
}

/** A node that a command began may be at work for other commands by now: it stays until they end, or a signal comes. */
async function stayForOthers({ err, errStyle, interrupts }: CommandContext, { others }: NodeHandle): Promise<void> {
  if (!others?.isUsed()) return
  const leave = new AbortController()
  using _ = interrupts.handle(() => leave.abort())
  err.line(errStyle.dim('done; other qmtcode processes of this QMT_HOME still work here (Ctrl-C stops them)'))
  await others.untilUnused(leave.signal)
}

/** Throws bad_request where the mesh is not enabled; `command` is what the person typed, to be typed again. */
export function meshOf(node: NodeHandle, command?: string): { peers: Peers; trust: Trust } {
  const { peers, trust } = node
  if (!peers || !trust) {
    const typed = command === undefined ? '' : `: qmtcode --mesh ${command}`
    const isBegunHere = node.others !== undefined
    const hint = isBegunHere
      ? `join one: qmtcode join; or start with --mesh${typed}; for good: [mesh] enabled = true in the configuration`
      : 'the qmtcode that runs here is no node of a mesh: stop it, and start it with --mesh'
    throw new AppError('bad_request', 'the mesh is not enabled here', { hint })
  }
  return { peers, trust }
}

/** Trust is a person's to give. Throws forbidden for what a tool started, and where neither a person at a terminal nor `--yes` stands for it. */
export function requirePerson({ components }: CommandContext, { yes, what }: { yes: boolean; what: string }): void {
  if (components.env[TOOL_VARIABLE] !== undefined) throw refusal()
  if (components.stdin.isTTY === true || yes) return
  throw new AppError('forbidden', `${what} changes whom this node trusts, and nobody sits at a terminal`, { hint: 'in a script: --yes' })
}

/** Says on stderr which configured peers no list can show yet: nobody ever answered at their address. */
export async function tellUnmet({ err, errStyle }: CommandContext, peers: Peers | undefined): Promise<void> {
  const { unmet = [], problems = [] } = (await peers?.status()) ?? {}
  for (const problem of problems) err.line(errStyle.yellow(printableLine(problem, 300)))
  for (const { name, address, problem } of unmet) {
    const why = problem === undefined ? '' : `: ${printableLine(reasonOf(problem, name, address), 300)}`
    err.line(errStyle.yellow(`${printableLine(name, 80)} at ${printableLine(address)} was never reached${why}`))
  }
}

/** Without what stands before it in the line already; where another address was tried than is written, that one stays. */
function reasonOf(problem: string, name: string, address: string): string {
  const said = `cannot reach ${name} at `
  if (!problem.startsWith(said)) return problem
  const rest = problem.slice(said.length)
  const end = rest.indexOf(': ')
  return end > 0 && address.startsWith(rest.slice(0, end)) ? rest.slice(end + 2) : `at ${rest}`
}
