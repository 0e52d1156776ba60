import type { Logger, ModelOffer } from '@qmtcode/protocol'
import { serveAcp, stdioStream } from '@qmtcode/server'
import type { AcpComponents, AcpHost } from '@qmtcode/server'
import type { NodeHandle } from '../node-handle.ts'
import { startLines } from '../output/mesh-lines.ts'
import { printableLine } from '../output/printable.ts'
import { meshOf, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { AcpCommand } from './invocation.ts'
import { offersOfAll } from './models.ts'

/** Serves an editor on stdin and stdout until it goes. All else is told on stderr. */
export async function acp(context: CommandContext, options: AcpCommand): Promise<number> {
  const { components, globals, err, interrupts } = context
  return await withNode(context, { needsPeers: options.node !== undefined }, async (node) => {
    if (globals.mesh.enabled) for (const line of startLines(await node.status())) err.line(line)
    const { host, ...served } = await servedBy(node, options.node, interrupts.signal)
    await using server = serveAcp(
      { ...served, log: logTo(context), clock: components.clock },
      { stream: stdioStream(components.stdin, components.stdout), host, agent: options.agent, version: components.version },
    )
    await interrupts.race(server.closed)
    return 0
  })
}

type Served = Pick<AcpComponents, 'sessions' | 'agents' | 'models'> & { host: AcpHost }

async function servedBy(node: NodeHandle, written: string | undefined, signal: AbortSignal): Promise<Served> {
  const here: Served = { host: 'local', sessions: node.sessions, agents: node.agents, models: () => modelNames(node, signal) }
  if (written === undefined) return here
  const { peers } = meshOf(node)
  const peer = await peers.resolve(written)
  if (peer.self) return here
  return {
    host: { node: peer.name },
    sessions: peers.sessions(peer.peerId),
    agents: () => Promise.resolve([]),
    models: async () => (await peers.models(peer.peerId).offers({ signal })).filter(isNamed).map(({ id }) => id),
  }
}

async function modelNames(node: NodeHandle, signal: AbortSignal): Promise<string[]> {
  const own = (await node.status()).node
  const { rows } = await offersOfAll(node, signal)
  return rows.filter(isNamed).map(({ id, node: name }) => (name === own ? id.slice(own.length + 1) : id))
}

/** A provider that takes any name cannot list them. */
const isNamed = ({ model }: Pick<ModelOffer, 'model'>): boolean => model !== '*'

/** What an editor shows as the agent's log: only what a person should look at. */
function logTo({ err }: CommandContext): Logger {
  const line = (message: string, fields: Record<string, unknown> = {}): void =>
    err.line(printableLine(`${message} ${JSON.stringify(fields)}`, 1_000))
  const log: Logger = { debug: () => {}, info: () => {}, warn: line, error: line, child: () => log }
  return log
}
