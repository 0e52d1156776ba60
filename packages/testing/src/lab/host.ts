import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createCable } from './cable.ts'
import { block } from './firewall.ts'
import type { Switch } from './lan.ts'
import { writeNames } from './namespaces.ts'
import { ipIn, shell } from './shell.ts'
import type { SlowWire } from './slow-wire.ts'
import type { Cable, Host } from './types.ts'

/** One cable of a host: its device there, plugged into a LAN. */
export interface Plug {
  readonly device: string
  readonly lan: Switch
  readonly cable: Cable
  /** The number of its address on the LAN. */
  number: number
}

export interface Ground {
  switchNamespace: string
  slowWire: SlowWire
  /** Devices of the switch namespace have short names; this counts them. */
  nextPort(): string
}

/** Lays a cable between a namespace and a LAN, with an address there. */
export async function plugIn(
  ground: Ground,
  { namespace, device, lan, number, slow = false }: { namespace: string; device: string; lan: Switch; number: number; slow?: boolean },
): Promise<Plug> {
  const { switchNamespace, slowWire } = ground
  const port = ground.nextPort()
  const setDelay = slow ? await slowWire.lay({ namespace, device, port }) : undefined
  if (!slow) await ipIn(switchNamespace, `link add ${port} type veth peer name ${device} netns ${namespace}`)
  for (const [where, dev] of [
    [switchNamespace, port],
    [namespace, device],
  ] as const) {
    await ipIn(where, `link set ${dev} gso_max_segs 1`) // a cable carries packets: faults hit them one by one
  }
  await ipIn(switchNamespace, `link set ${port} master ${lan.bridge}`)
  await ipIn(switchNamespace, `link set ${port} up`)
  await ipIn(namespace, `link set ${device} up`)
  const cable = createCable({ switchNamespace, port, namespace, device, setDelay })
  const plug = { device, lan, cable, number }
  await takeAddress(namespace, plug)
  return plug
}

async function takeAddress(namespace: string, { device, lan, number }: Plug): Promise<void> {
  await ipIn(namespace, `addr add ${lan.address(number)}/24 brd + dev ${device}`)
  if (lan.ipv6) await ipIn(namespace, `-6 addr add ${lan.address6(number)}/64 dev ${device} nodad`)
}

/** The LAN's gateway is the default one, whether somebody is there or not. */
export async function setDefaultRoute(namespace: string, { device, lan }: Plug): Promise<void> {
  await ipIn(namespace, `route replace default via ${lan.gateway} dev ${device}`)
  if (lan.ipv6) await ipIn(namespace, `-6 route replace default via ${lan.address6(1)} dev ${device}`)
}

/** `plug` is the cable that the host is known by. */
export function hostOf(name: string, namespace: string, { plug, children }: { plug: Plug; children: Set<ChildProcess> }): Host {
  const enter = ['ip', 'netns', 'exec', namespace]
  const { lan } = plug
  return {
    name,
    enter,
    cable: plug.cable,
    get address() {
      return lan.address(plug.number)
    },
    get address6() {
      return lan.ipv6 ? lan.address6(plug.number) : undefined
    },
    spawn(command, args, options = {}) {
      const child = spawn('ip', [...enter.slice(1), command, ...args], options)
      children.add(child)
      child.once('exit', () => children.delete(child))
      return child
    },
    exec: (command, ...args) => shell('ip', [...enter.slice(1), command, ...args]),
    async changeAddress() {
      await ipIn(namespace, `addr flush dev ${plug.device}`)
      plug.number = lan.nextHost()
      await takeAddress(namespace, plug)
      await setDefaultRoute(namespace, plug)
      return lan.address(plug.number)
    },
    setNames: (names) => writeNames(namespace, names),
    block: (rule) => block(namespace, rule),
  }
}
