import { ipIn } from './shell.ts'
import type { Lan, LanOptions } from './types.ts'

/** A LAN as the lab sees it: a bridge in the lab's switch namespace. */
export interface Switch extends Lan {
  readonly bridge: string
  readonly index: number
  readonly ipv6: boolean
  /** Addresses are given once: .2, .3, … */
  nextHost(): number
  address(host: number): string
  address6(host: number): string
  /** The first router takes .1. */
  hasGateway: boolean
}

export async function createSwitch(namespace: string, index: number, options: LanOptions): Promise<Switch> {
  const subnet = options.subnet ?? `10.77.${index}.0/24`
  const base = /^(\d+\.\d+\.\d+)\.0\/24$/.exec(subnet)?.[1]
  if (base === undefined) throw new TypeError(`a LAN's subnet is an IPv4 /24, as 10.1.2.0/24; not ${subnet}`)
  const bridge = `lan${index}`
  await ipIn(namespace, `link add ${bridge} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`)
  await ipIn(namespace, `link set ${bridge} up`)
  let hosts = 1
  return {
    subnet,
    gateway: `${base}.1`,
    bridge,
    index,
    ipv6: options.ipv6 ?? false,
    nextHost: () => (hosts += 1),
    address: (host) => `${base}.${host}`,
    address6: (host) => `fd77:0:0:${index}::${host.toString(16)}`,
    hasGateway: false,
  }
}
