import type { ChildProcess } from 'node:child_process'
import { hostOf, plugIn, setDefaultRoute } from './host.ts'
import type { Ground, Plug } from './host.ts'
import { createSwitch } from './lan.ts'
import type { Switch } from './lan.ts'
import { createNamespace, newPrefix, removeNamespace, sweep } from './namespaces.ts'
import { translate } from './nat.ts'
import { shell } from './shell.ts'
import { createSlowWire } from './slow-wire.ts'
import type { Host, Lab, Lan } from './types.ts'

/** What libp2p and UPnP take for a public address. Reaches nowhere: a lab has no way out. */
export const PUBLIC_SUBNET = '45.77.10.0/24'

/** An empty lab. Needs root and tools: see `labSkip`. Sweeps what tests that were killed left behind. */
export async function createLab(): Promise<Lab> {
  await sweep()
  const prefix = newPrefix()
  const namespaces: string[] = []
  const children = new Set<ChildProcess>()
  const switches = new Map<Lan, Switch>()
  let ports = 0

  async function add(name: string, names?: Record<string, string>): Promise<string> {
    const namespace = `${prefix}${name}`
    if (namespaces.includes(namespace)) throw new TypeError(`the lab has a ${name} already`)
    namespaces.push(namespace)
    await createNamespace(namespace, names)
    return namespace
  }
  const switchNamespace = await add('switch')
  const wireNamespace = `${prefix}wire`
  const ground: Ground = {
    switchNamespace,
    slowWire: createSlowWire(switchNamespace, wireNamespace),
    nextPort: () => `port${(ports += 1)}`,
  }
  const switchOf = (lan: Lan): Switch => {
    const found = switches.get(lan)
    if (!found) throw new TypeError(`${lan.subnet} is not a LAN of this lab`)
    return found
  }
  /** A namespace that forwards, plugged into each LAN. */
  async function forwarder(
    name: string,
    lans: readonly { lan: Switch; isGateway: boolean }[],
  ): Promise<{ namespace: string; plugs: Plug[] }> {
    const namespace = await add(name)
    await shell('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
    const plugs: Plug[] = []
    for (const { lan, isGateway } of lans) {
      const number = isGateway ? 1 : lan.nextHost()
      lan.hasGateway ||= isGateway
      plugs.push(await plugIn(ground, { namespace, device: `eth${plugs.length}`, lan, number }))
    }
    return { namespace, plugs }
  }

  return {
    async lan(options = {}) {
      const made = await createSwitch(switchNamespace, switches.size + 1, options)
      switches.set(made, made)
      return made
    },
    async host(name, { lan, slow, names }) {
      const namespace = await add(name, names)
      const at = switchOf(lan)
      const plug = await plugIn(ground, { namespace, device: 'eth0', lan: at, number: at.nextHost(), slow })
      await setDefaultRoute(namespace, plug)
      return hostOf(name, namespace, { plug, children })
    },
    async router(name, lans) {
      const { namespace, plugs } = await forwarder(
        name,
        lans.map(switchOf).map((lan) => ({ lan, isGateway: !lan.hasGateway })),
      )
      const [plug] = plugs
      if (!plug) throw new TypeError(`the router ${name} has no LAN`)
      return hostOf(name, namespace, { plug, children })
    },
    async nat(name, { kind, inside, outside }): Promise<Host> {
      const { namespace, plugs } = await forwarder(name, [
        { lan: switchOf(outside), isGateway: false },
        { lan: switchOf(inside), isGateway: true },
      ])
      const [plug] = plugs as [Plug]
      await setDefaultRoute(namespace, plug)
      await translate(namespace, kind, { outside: plug.device })
      return hostOf(name, namespace, { plug, children })
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL')
      await Promise.all([...namespaces, wireNamespace].map(removeNamespace))
    },
  }
}
