import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { createMeshNode } from '../node.ts'

/** A node in its own process, to be killed: `child-node.ts HOME LISTEN [ADMITTED]`. Prints its address; ends by itself on "stop": 7, or 8 if a timer still runs. */
const [home = '', listen = '', admitted] = process.argv.slice(2)
const node = await createMeshNode(
  { clock: systemClock, log: silentLogger },
  {
    identityFile: `${home}/mesh_identity.key`,
    knownPeersFile: `${home}/known_peers.json`,
    listen: [listen],
    name: 'child',
    peers: [],
    trust: 'known',
    version: '0.1.0',
  },
)
if (admitted) await node.trust.admit(admitted as PeerId)
const { listenAddresses } = await node.start()
process.stdout.write(`${listenAddresses[0] ?? ''}\n`)
const stop = async (): Promise<void> => {
  await node.stop()
  process.exitCode = 7
  // Does not keep the process itself: it only looks when something else does.
  setTimeout(() => process.getActiveResourcesInfo().includes('Timeout') && process.exit(8), 100).unref()
}
process.stdin.once('data', () => {
  process.stdin.destroy()
  stop().catch(() => process.exit(1))
})
