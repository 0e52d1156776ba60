import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createNamespace } from './namespaces.ts'
import { ipIn, shell } from './shell.ts'

const WORKER = fileURLToPath(new URL('delay-worker.ts', import.meta.url))
const NEAR = '169.254.77.1'
const FAR = '169.254.77.2'
const ANY_MAC = '00:00:00:00:00:00'

/** Makes cables that delay, where the kernel has no netem: VXLAN tunnels whose packets a process carries. */
export interface SlowWire {
  /** Puts `device` into `namespace` and `port` into the switch namespace. Both are down. */
  lay(ends: { namespace: string; device: string; port: string }): Promise<(delayMs: number) => Promise<void>>
}

export function createSlowWire(switchNamespace: string, wireNamespace: string): SlowWire {
  let isBuilt: Promise<void> | undefined
  let count = 0

  async function build(): Promise<void> {
    await createNamespace(wireNamespace)
    await ipIn(switchNamespace, `link add wire0 mtu 9000 type veth peer name wire1 mtu 9000 netns ${wireNamespace}`)
    // Packets that a process reads must bear their checksums already.
    await shell('ip', ['netns', 'exec', switchNamespace, 'ethtool', '-K', 'wire0', 'tx', 'off'])
    for (const [namespace, device, address] of [
      [switchNamespace, 'wire0', NEAR],
      [wireNamespace, 'wire1', FAR],
    ] as const) {
      await ipIn(namespace, `addr add ${address}/30 dev ${device}`)
      await ipIn(namespace, `link set ${device} up`)
    }
  }
  /** Both ends have one id, since the packets bear it. */
  async function tunnel(name: string, id: number, [own, theirs]: readonly [number, number], namespace: string): Promise<void> {
    const made = `vx${id}`
    await ipIn(switchNamespace, `link add ${made} mtu 1500 type vxlan id ${id} dstport ${own} nolearning`)
    if (namespace === switchNamespace) await ipIn(namespace, `link set ${made} name ${name}`)
    else await ipIn(switchNamespace, `link set ${made} netns ${namespace} name ${name}`)
    await shell('bridge', ['-n', namespace, 'fdb', 'append', ANY_MAC, 'dev', name, 'dst', FAR, 'port', String(theirs)])
  }
  return {
    async lay({ namespace, device, port }) {
      count += 1
      const id = count
      isBuilt ??= build()
      await isBuilt
      const [hostIn, lanIn, hostOut, lanOut] = [20_000, 30_000, 40_000, 50_000].map((base) => base + id) as [number, number, number, number]
      await tunnel(device, id, [hostOut, hostIn], namespace)
      await tunnel(port, id, [lanOut, lanIn], switchNamespace)
      const ports = [hostIn, lanIn, hostOut, lanOut].map(String)
      const child = spawn('ip', ['netns', 'exec', wireNamespace, process.execPath, WORKER, NEAR, ...ports], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      const lines = createInterface({ input: child.stdout })
      await once(lines, 'line')
      return async (delayMs) => {
        const isSet = once(lines, 'line')
        child.stdin.write(`${delayMs}\n`)
        await isSet
      }
    },
  }
}
