import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMeshNode } from '@qmtcode/mesh'
import { loadPeerId } from '@qmtcode/mesh/identity'
import type { MeshNode } from '@qmtcode/mesh'
import { silentLogger, systemClock } from '@qmtcode/protocol'

/** Two real mesh nodes of this process on loopback: `caller` has the role client at `host`, and is connected to it. */
export interface MeshPair extends AsyncDisposable {
  host: MeshNode
  caller: MeshNode
}

export async function openMeshPair(options: { serve: (host: MeshNode) => void }): Promise<MeshPair> {
  await using opening = new AsyncDisposableStack()
  const home = async (): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), 'qmt-pair-'))
    opening.defer(() => rm(directory, { recursive: true, force: true }))
    return directory
  }
  const callerHome = await home()
  const host = opening.use(await makeNode({ home: await home(), name: 'host' }))
  await host.trust.admit(await loadPeerId(join(callerHome, 'key')), { role: 'client' })
  options.serve(host)
  const { listenAddresses } = await host.start()
  const caller = opening.use(await makeNode({ home: callerHome, name: 'caller', dial: listenAddresses[0] }))
  const settled = untilAdmitted(caller)
  await caller.start()
  await settled
  const opened = opening.move()
  return { host, caller, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

const makeNode = (options: { home: string; name: string; dial?: string }): Promise<MeshNode> =>
  createMeshNode(
    { clock: systemClock, log: silentLogger },
    {
      identityFile: join(options.home, 'key'),
      knownPeersFile: join(options.home, 'known_peers.json'),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      name: options.name,
      peers: options.dial === undefined ? [] : [{ name: 'host', addr: options.dial, use: true, labels: [] }],
      trust: 'known',
      version: '0.1.0',
      timings: { addressDial: 10_000, dialWait: 10_000, handshake: 10_000 },
    },
  )

async function untilAdmitted(node: MeshNode): Promise<void> {
  for await (const _ of node.peers.follow({ signal: AbortSignal.timeout(30_000) })) {
    const peers = await node.peers.list()
    if (peers.some((peer) => peer.roleThere === 'client')) return
  }
  throw new Error('the host did not admit the caller within 30 s')
}
