import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { modelsContract, modelsHandlers } from '@qmtcode/protocol'
import type { Models, PeerId } from '@qmtcode/protocol'
import { deltas, encodeFrames } from '../support/deltas.ts'
import type { DeltaKind } from '../support/deltas.ts'
import { makeNode } from '../support/mesh.ts'
import type { Place } from '../support/mesh.ts'
import { SERVER_TLS } from '../support/psk.ts'
import { serveRole } from '../support/role.ts'

const endless: Models = {
  offers: () => Promise.resolve([]),
  stream: ({ model }, { signal = new AbortController().signal } = {}) => deltas(model.replace('bench/', '') as DeltaKind, signal),
}

/** The called process of a pair: the same endless deltas as a model of a mesh node and over a bare TLS socket. */
serveRole({
  openMesh: async ({ directory, guest }: { directory: string; guest: PeerId }): Promise<Place> => {
    const node = await makeNode({ directory, name: 'host', peers: [{ name: 'guest', peerId: guest, role: 'client' }], listen: true })
    node.serve(modelsContract, { handlersFor: () => modelsHandlers(endless) })
    const { listenAddresses } = await node.start()
    return { address: listenAddresses[0] ?? '', peerId: node.peerId }
  },
  /** Resolves with the port. What a client writes first is the kind of deltas that it gets until it leaves. */
  openSocket: async () => {
    const server = createServer(SERVER_TLS, (socket) => {
      pour(socket).catch(() => socket.destroy())
    })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  },
})

async function pour(socket: TLSSocket): Promise<void> {
  const left = new AbortController()
  socket.on('error', () => {}).once('close', () => left.abort())
  const [kind] = (await once(socket, 'data')) as [Buffer]
  for await (const frame of encodeFrames(deltas(kind.toString() as DeltaKind, left.signal))) {
    if (!socket.write(frame)) await once(socket, 'drain', { signal: left.signal })
  }
}
