import { ipIn, nftIn, shell } from './shell.ts'
import type { Cable, CableFaults } from './types.ts'

export interface CableEnds {
  /** Namespace and device at the LAN's side: faults sit there, unseen by the host. */
  switchNamespace: string
  port: string
  /** The host's side. */
  namespace: string
  device: string
  /** Undefined: the cable cannot delay. */
  setDelay?(ms: number): Promise<void>
}

/** Hooks of the port: what it takes in is what the host sent. */
const HOOKS = { out: 'ingress', in: 'egress' } as const
const directions = ['in', 'out'] as const

export function createCable({ switchNamespace, port, namespace, device, setDelay }: CableEnds): Cable {
  const table = `netdev ${port}`

  async function shape(rateKbit: number | undefined): Promise<void> {
    for (const [where, dev] of [
      [switchNamespace, port],
      [namespace, device],
    ] as const) {
      const tc = (words: string): Promise<string> => shell('ip', ['netns', 'exec', where, 'tc', 'qdisc', ...words.split(' ')])
      if (rateKbit === undefined) await tc(`del dev ${dev} root`).catch(() => undefined)
      else await tc(`replace dev ${dev} root tbf rate ${rateKbit}kbit burst 16kb latency 400ms`)
    }
  }
  const verdicts = ({ drop, lossPercent = 0 }: CableFaults, direction: 'in' | 'out'): string[] => {
    if (drop === direction || drop === 'both') return ['drop']
    return lossPercent > 0 ? [`numgen random mod 1000 < ${Math.round(lossPercent * 10)} drop`] : []
  }
  return {
    async set(faults) {
      if ((faults.delayMs ?? 0) > 0 && !setDelay) throw new TypeError('only the cable of a host with slow: true can delay')
      const rules = directions.flatMap((direction) => [
        `add chain ${table} ${direction} { type filter hook ${HOOKS[direction]} device ${port} priority 0; };`,
        ...verdicts(faults, direction).map((verdict) => `add rule ${table} ${direction} ${verdict};`),
      ])
      await nftIn(switchNamespace, [`add table ${table};`, `delete table ${table};`, `add table ${table};`, ...rules].join(' '))
      await shape(faults.rateKbit)
      await setDelay?.(faults.delayMs ?? 0)
    },
    async pull() {
      await ipIn(switchNamespace, `link set ${port} down`)
    },
    async plug() {
      await ipIn(switchNamespace, `link set ${port} up`)
    },
  }
}
