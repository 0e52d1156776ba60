import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { createMeshNode } from '../node.ts'

/** A node in its own process, to be killed: `child-node.ts HOME LISTEN [ADMITTED]`. Prints its address; ends by itself on "stop". */
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
process.stdin.once('data', () => {
  process.stdin.destroy()
  process.exitCode = 7
  node.stop().catch(() => process.exit(1))
})
