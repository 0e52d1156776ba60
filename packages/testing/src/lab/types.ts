import type { ChildProcess, SpawnOptions } from 'node:child_process'

/** A network made of Linux namespaces, for one test: nothing of it touches the machine's own network. Gone at the end, with every process in it. */
export interface Lab extends AsyncDisposable {
  /** A switch. Multicast passes within it, and never from one to another. Default subnet: the next free 10.77.N.0/24. */
  lan(options?: LanOptions): Promise<Lan>
  host(name: string, options: HostOptions): Promise<Host>
  /** Forwards between its LANs, without multicast. It is their default gateway where none is yet. */
  router(name: string, lans: readonly Lan[]): Promise<Host>
  /** A home router or a carrier's: hosts `inside` leave by its address `outside`. A NAT whose outside is another's inside is a double one. */
  nat(name: string, options: NatOptions): Promise<Host>
}

export interface LanOptions {
  /** An IPv4 /24, as `10.1.2.0/24`. Hosts take .2 and up; .1 is the gateway's. A public LAN (see PUBLIC_SUBNET) is just one with such a subnet. */
  subnet?: string
  /** IPv6 too: hosts also have fd77:0:0:N::K. Default: IPv4 only. */
  ipv6?: boolean
}

export interface Lan {
  readonly subnet: string
  readonly gateway: string
}

export interface HostOptions {
  lan: Lan
  /** The cable can delay. Default: false, it takes a process more. */
  slow?: boolean
  /** What `/etc/hosts` there says beside localhost: name → address. */
  names?: Record<string, string>
}

/**
 * full-cone: what a host sent from a port, anyone may answer to. address-restricted: only addresses that it sent to.
 * port-restricted: only address and port that it sent to (Linux' own). symmetric: and each destination sees another port.
 */
export type NatKind = 'full-cone' | 'address-restricted' | 'port-restricted' | 'symmetric'

export interface NatOptions {
  kind: NatKind
  inside: Lan
  outside: Lan
}

/** A namespace with an address: a machine, a router or a NAT. */
export interface Host {
  readonly name: string
  /** IPv4 address on its (first, for a NAT its outside) LAN. Changes with `changeAddress`. */
  readonly address: string
  /** IPv6 address there, where the LAN has it. */
  readonly address6: string | undefined
  /** Its (first, for a NAT its outside) cable. */
  readonly cable: Cable
  /** What to put before a command so that it runs there: `ip netns exec …`. The pid stays the command's own. */
  readonly enter: readonly string[]
  /** Starts a process there; killed with the lab. */
  spawn(command: string, args: readonly string[], options?: SpawnOptions): ChildProcess
  /** Runs a command there to its end: its stdout. Throws with its stderr if it fails. */
  exec(command: string, ...args: string[]): Promise<string>
  /** Takes the next address of its LAN, and gives the old one up, as after a move to another network. Gives the new one. */
  changeAddress(): Promise<string>
  /** Rewrites `/etc/hosts` there, also for processes that run. */
  setNames(names: Record<string, string>): Promise<void>
  /** A firewall's rule, here; on a router or NAT also for what passes through. Disposing of it lifts it. */
  block(rule: BlockRule): Promise<AsyncDisposable>
}

export interface BlockRule {
  protocol?: 'tcp' | 'udp'
  /** Destination port. Needs `protocol`. Default: all. */
  port?: number
  /** Default: both. */
  direction?: 'in' | 'out' | 'both'
  /** `drop`: silence. `refuse`: a reset, or port unreachable. Default: drop. */
  how?: 'drop' | 'refuse'
}

/** From here, between a host and its LAN: `out` is what the host sends. */
export interface Cable {
  /** Replaces all that was set before; `{}` is a good cable. */
  set(faults: CableFaults): Promise<void>
  /** The link is down, as when the cable is pulled; addresses and routes stay. */
  pull(): Promise<void>
  plug(): Promise<void>
}

export interface CableFaults {
  /** Nothing passes in this direction, and nobody is told. */
  drop?: 'in' | 'out' | 'both'
  /** Of packets, each direction for itself. */
  lossPercent?: number
  /** Each direction for itself: the round trip grows by twice this. Only on a `slow` host's cable. */
  delayMs?: number
  /** Each direction. */
  rateKbit?: number
}
