import { AppError } from '@qmtcode/protocol'
import type { Logger, ModelOffer } from '@qmtcode/protocol'
import { serveAcp, stdioStream } from '@qmtcode/server'
import type { AcpComponents, AcpHost, AcpServer } from '@qmtcode/server'
import { createLastingNode, lastingSessions } from '../node/lasting-node.ts'
import type { LastingNode } from '../node/lasting-node.ts'
import type { NodeHandle } from '../node-handle.ts'
import { startLines } from '../output/mesh-lines.ts'
import { printableLine } from '../output/printable.ts'
import { meshOf, openNode, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { AcpCommand } from './invocation.ts'
import type { Interrupts } from './interrupts.ts'
import { offersOfAll } from './models.ts'

/** Serves an editor on stdin and stdout until it goes. All else is told on stderr. */
export async function acp(context: CommandContext, options: AcpCommand): Promise<number> {
  const { components, globals, err, interrupts } = context
  const how = { needsPeers: options.node !== undefined }
  return await withNode(context, how, async (node) => {
    if (globals.mesh.enabled) for (const line of startLines(await node.status())) err.line(line)
    await using lasting = createLastingNode(node, () => openNode(context, how))
    const { host, ...served } = await servedBy(lasting, options.node, interrupts.signal)
    await using server = serveAcp(
      { ...served, log: logTo(context), clock: components.clock },
      { stream: stdioStream(components.stdin, components.stdout), host, agent: options.agent, version: components.version },
    )
    await untilGone(server, interrupts)
    return 0
  })
}

/** At a signal the editor's prompts are cancelled, for which the node must be there still; a second signal does not wait for that. */
async function untilGone(server: AcpServer, interrupts: Interrupts): Promise<void> {
  const interrupted = new AbortController()
  const handling = interrupts.handle(() => {
    handling[Symbol.dispose]()
    interrupted.abort(new AppError('cancelled', 'interrupted'))
    server.stop().catch(() => {}) // whoever waits for the end hears of it
  })
  await server.closed
  interrupted.signal.throwIfAborted()
  handling[Symbol.dispose]()
}

type Served = Pick<AcpComponents, 'sessions' | 'agents' | 'models'> & { host: AcpHost }

async function servedBy(lasting: LastingNode, written: string | undefined, signal: AbortSignal): Promise<Served> {
  const peer = written === undefined ? undefined : await lasting.use(async (node) => await meshOf(node).peers.resolve(written))
  if (peer === undefined || peer.self) {
    return {
      host: 'local',
      sessions: lastingSessions(lasting, (node) => node.sessions),
      agents: () => lasting.use((node) => node.agents()),
      models: () => lasting.use((node) => modelNames(node, signal)),
    }
  }
  const { name, peerId } = peer
  return {
    host: { node: name },
    sessions: lastingSessions(lasting, (node) => meshOf(node).peers.sessions(peerId)),
    agents: () => Promise.resolve([]),
    models: async () => {
      const offers = await lasting.use((node) => meshOf(node).peers.models(peerId).offers({ signal }))
      return offers.filter(isServed).map(({ id }) => id)
    },
  }
}

async function modelNames(node: NodeHandle, signal: AbortSignal): Promise<string[]> {
  const own = (await node.status()).node
  const { rows } = await offersOfAll(node, signal)
  return rows.filter(isServed).map(({ id, node: name }) => (name === own ? id.slice(own.length + 1) : id))
}

/** A provider that takes any name cannot list them. */
const isServed = ({ model, state }: Pick<ModelOffer, 'model' | 'state'>): boolean => model !== '*' && state !== 'down'

/** What an editor shows as the agent's log: only what a person should look at. */
function logTo({ err }: CommandContext): Logger {
  const line = (message: string, fields: Record<string, unknown> = {}): void =>
    err.line(printableLine(`${message} ${JSON.stringify(fields)}`, 1_000))
  const log: Logger = { debug: () => {}, info: () => {}, warn: line, error: line, child: () => log }
  return log
}
