import { AppError } from '@qmtcode/protocol'
import type { MeshEvent, PeerId } from '@qmtcode/protocol'
import type { Interrupt, NodeHandle, ReservedChange } from '../node-handle.ts'
import { connectedLine, meshEventLine, reservedLine, startLines } from '../output/mesh-lines.ts'
import { withNode } from './context.ts'
import type { CommandContext } from './context.ts'

/** Runs the node until a signal; says on stdout what it is and who comes and goes. */
export async function serve(context: CommandContext): Promise<number> {
  return await withNode(context, { serve: true }, async (node) => {
    if (!node.peers) {
      throw new AppError('bad_request', 'nothing to do: no terminal for a chat, and the mesh is not enabled', {
        hint: 'qmtcode run "prompt"; or --mesh to be a node of the mesh',
      })
    }
    for (const line of startLines(await node.status())) context.out.say(line)
    return (await untilInterrupted(context, node)) === 'SIGINT' ? 130 : 0
  })
}

async function untilInterrupted(context: CommandContext, node: NodeHandle): Promise<Interrupt> {
  const end = new AbortController()
  const { promise, resolve } = Promise.withResolvers<Interrupt>()
  using _ = context.interrupts.handle(resolve)
  const tell = (line: string): void => context.out.say(line)
  const watching = Promise.all([watchAllPeers(node, end.signal, tell), watchReserved(node, end.signal, tell)])
  try {
    // Watching ends only by failure: a node whose events are over is no node.
    return await Promise.race([promise, watching.then(() => Promise.reject(new AppError('link_lost', 'the node stopped')))])
  } finally {
    end.abort()
    await watching
  }
}

/** As `watchPeers`, and before it a line for each that was there already: a link may be up before this node has said where it listens. */
async function watchAllPeers(node: NodeHandle, signal: AbortSignal, tell: (text: string) => void): Promise<void> {
  if (!node.peers) return
  const events = node.peers.follow({ signal })
  const told = new Set<PeerId>()
  for (const { peerId, name, state, address } of await node.peers.list()) {
    if (state !== 'connected' || address === undefined) continue
    told.add(peerId)
    tell(connectedLine({ peerId, name, address }))
  }
  for await (const event of events) {
    const isTold = (event.type === 'peer.connected' || event.type === 'peer.disconnected') && told.delete(event.peerId)
    if (isTold && event.type === 'peer.connected') continue
    const text = meshEventLine(event)
    if (text !== undefined) tell(text)
  }
}

/** One line for each peer that comes or goes, until `signal` aborts. */
export async function watchPeers(node: NodeHandle, signal: AbortSignal, line: (text: string, event: MeshEvent) => void): Promise<void> {
  if (!node.peers) return
  for await (const event of node.peers.follow({ signal })) {
    const text = meshEventLine(event)
    if (text !== undefined) line(text, event)
  }
}

/** One line for each question that only the person at this node may answer, and for its end. */
export async function watchReserved(
  node: NodeHandle,
  signal: AbortSignal,
  line: (text: string, change: ReservedChange) => void,
): Promise<void> {
  for await (const change of node.reserved({ signal })) line(reservedLine(change), change)
}
