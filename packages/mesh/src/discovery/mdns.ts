import { mdns } from '@libp2p/mdns'
import type { ComponentLogger, PeerDiscovery, PeerInfo, Startable } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createBell } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { isLoopbackHost, isPrivateHost } from '../addresses/ip-ranges.ts'
import { localInterfaceAddresses } from '../addresses/local-addresses.ts'
import { hostOf } from '../addresses/multiaddrs.ts'
import type { DiscoveryWay, WayComponents } from './way.ts'

/** Ours alone: nodes of other libp2p programs are neither asked nor told. */
const SERVICE_TAG = '_qmt-mesh._udp.local'
const INTERVAL_MS = 10_000
/** Packets get lost: the first questions are asked again. */
/** After a start, and after a move. */
const FIRST_QUESTIONS_MS = [300, 1_000, 2_000]
const ANSWER_MS = 800
const HEARD_WITHIN_MS = 3_000
const MAX_OTHERS = 200

type Question = { name: string; type: 'PTR' }
interface Packet {
  questions: { name: string }[]
  answers: { name: string }[]
}
interface Service extends PeerDiscovery, Startable {
  mdns?: {
    query(packet: { questions: Question[] }): void
    on(event: 'query' | 'response', listener: (packet: Packet, from: { address: string }) => void): void
    on(event: 'error' | 'warning', listener: (error: Error) => void): void
  }
}

/**
 * Multicast DNS on the interface of the default route. Told to everybody there: the peer id and private addresses, under a name that is
 * random each time; nothing else. Our own question comes back by multicast too: where it does not, nobody hears us, and that is said.
 */
export function createMdns(components: WayComponents & { logger: ComponentLogger }): DiscoveryWay {
  const { addresses, onFound, log } = components
  const heard = createBell()
  const timers = new Set<NodeJS.Timeout>()
  const settled = Promise.withResolvers<void>()
  const others = new Set<string>()
  let isHeard = false
  let problem: string | undefined
  const service = mdns({ serviceTag: SERVICE_TAG, interval: INTERVAL_MS })({
    logger: components.logger,
    addressManager: { getAddresses: () => onThisNetwork(addresses()).map((text) => multiaddr(text)) } as never,
  }) as Service

  const ask = (): void => service.mdns?.query({ questions: [{ name: SERVICE_TAG, type: 'PTR' }] })
  function askSoon(): void {
    for (const ms of FIRST_QUESTIONS_MS) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        ask()
      }, ms).unref()
      timers.add(timer)
    }
  }
  function noteOther(address: string): void {
    if (others.size < MAX_OTHERS && !localInterfaceAddresses().includes(address)) others.add(address)
  }
  function fail(reason: string): void {
    settled.resolve()
    if (problem !== undefined) return
    problem = `mdns finds nobody: ${reason}`
    log.warn(problem)
  }
  service.addEventListener('peer', ({ detail }: CustomEvent<PeerInfo>) => {
    const told = detail.multiaddrs.slice(0, 32).map(String)
    const own = addresses().map((text) => hostOf(multiaddr(text)) ?? '')
    const near = told.filter((text) => isNear(text, own.every(isLoopbackHost)))
    if (near.length > 0) onFound(detail.id.toString() as PeerId, near)
    heard.ring()
  })

  return {
    name: 'mdns',
    async start() {
      await service.start?.()
      service.mdns?.on('query', ({ questions }, { address }) => {
        if (!questions.some(({ name }) => name === SERVICE_TAG)) return
        isHeard = true
        problem = undefined
        noteOther(address)
        settled.resolve()
      })
      service.mdns?.on('response', ({ answers }, { address }) => {
        if (answers.some(({ name }) => name === SERVICE_TAG)) noteOther(address)
      })
      service.mdns?.on('error', (error) => fail(error.message.slice(0, 200)))
      askSoon()
      const onSilence = (): void => {
        if (!isHeard) fail('multicast does not pass here (no default route, or a firewall on UDP 5353)')
      }
      timers.add(setTimeout(onSilence, HEARD_WITHIN_MS).unref())
    },
    async find(_, signal) {
      ask()
      await heard.heard({ timeoutMs: ANSWER_MS, signal })
      return []
    },
    // What we ask comes back to us, and is answered: the neighbours hear our new addresses too.
    moved() {
      ask()
      askSoon()
    },
    problem: () => problem,
    async multicast() {
      await settled.promise
      return { own: isHeard && problem === undefined, others: others.size }
    },
    async stop() {
      for (const timer of timers) clearTimeout(timer)
      settled.resolve()
      await service.stop?.()
    },
  }
}

/** What a neighbour can use: private addresses; loopback only of a node that listens on nothing else. */
function onThisNetwork(addresses: readonly string[]): string[] {
  const hosts = addresses.map((text) => ({ text, host: hostOf(multiaddr(text)) ?? '' }))
  const outside = hosts.filter(({ host }) => !isLoopbackHost(host))
  return (outside.length > 0 ? outside.filter(({ host }) => isPrivateHost(host)) : hosts).map(({ text }) => text)
}

/** A neighbour's loopback is ours: it means something only where all nodes are on this machine. */
function isNear(text: string, onLoopback: boolean): boolean {
  const host = hostOf(multiaddr(text)) ?? ''
  return isPrivateHost(host) || (onLoopback && isLoopbackHost(host))
}
