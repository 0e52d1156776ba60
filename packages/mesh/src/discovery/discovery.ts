import type { Clock, Logger, PeerId } from '@qmtcode/protocol'
import { createFoundPeers } from './found-peers.ts'
import type { DiscoveryWay, Multicast, WayComponents } from './way.ts'

/** Finds addresses of peers, in the ways that the configuration names. It admits nobody, and dials only through `dial`. */
export interface Discovery {
  start(): Promise<void>
  addressesOf(peerId: PeerId): string[]
  /** Asks every way for a peer that does not answer where it is known to be; never rejects. */
  find(peerId: PeerId, signal: AbortSignal): Promise<string[]>
  /** Found here, known to nobody here: for a person to see. */
  nearby(): PeerId[]
  linked(peerId: PeerId): void
  /** This machine has other addresses than before. Who was `left` may not know the new ones: it is dialled, unless it dials. */
  moved(left: readonly PeerId[]): void
  problems(): string[]
  /** Of the way that uses it; undefined where none does. */
  multicast(): Promise<Multicast | undefined>
  stop(): Promise<void>
}

export interface DiscoveryComponents {
  clock: Clock
  log: Logger
  /** Whether there is an opinion on a peer; unknown ones are listed and left alone. */
  isKnown(peerId: PeerId): boolean
  /** Whether a link to it is wanted and missing. */
  isMissed(peerId: PeerId): boolean
  dial(peerId: PeerId, signal: AbortSignal): Promise<void>
  /** This node's own, dialable, with `/p2p`; they may change. */
  addresses(): string[]
  onAddressChange(): void
  makeWay(name: DiscoveryWay['name'], components: WayComponents): DiscoveryWay
}

/** The larger id leaves the first move to the smaller one, so that two that find each other have one connection. */
const LARGER_WAITS_MS = 1_000
const DIAL_EVERY_MS = 3_000
const LOOK_MS = 2_000
/** After a move: the new address may come a moment later. Nobody else can bring the link back, so it is tried for a while. */
const AFTER_MOVE_MS = [500, 1_500, 3_000, 5_000, 8_000, 15_000, 30_000]

export function createDiscovery(
  components: DiscoveryComponents,
  options: { self: PeerId; ways: readonly DiscoveryWay['name'][] },
): Discovery {
  const { clock, log, isKnown, isMissed } = components
  const found = createFoundPeers(components)
  const dialled = new Map<PeerId, number>()
  const running = new Set<Promise<void>>()
  const timers = new Set<NodeJS.Timeout>()
  const failed: string[] = []
  let told = ''
  const stopped = new AbortController()
  const ways = options.ways.map((name) =>
    components.makeWay(name, {
      log,
      addresses: components.addresses,
      onFound: (peerId, addresses) => onFound(peerId, addresses, name),
    }),
  )

  function onFound(peerId: PeerId, addresses: string[], way: string): void {
    if (peerId === options.self || stopped.signal.aborted) return
    const before = found.addressesOf(peerId).length
    found.add(peerId, addresses, way)
    if (before === 0) log.info('found', { peerId, way, addresses: found.addressesOf(peerId) })
    if (!isKnown(peerId) || way !== 'mdns') return
    const last = dialled.get(peerId)
    if (last !== undefined && clock.monotonic() - last < DIAL_EVERY_MS) return
    dialled.set(peerId, clock.monotonic())
    dialSoon(peerId, options.self < peerId ? 0 : LARGER_WAITS_MS)
  }
  function dialSoon(peerId: PeerId, ms: number): void {
    const timer = setTimeout(() => dialMissed(peerId, timer), ms)
    timers.add(timer)
  }
  function dialMissed(peerId: PeerId, timer: NodeJS.Timeout): void {
    timers.delete(timer)
    if (stopped.signal.aborted || !isMissed(peerId)) return
    const run = components
      .dial(peerId, stopped.signal)
      .catch((error: unknown) => log.debug('found, not reached', { peerId, error: String(error) }))
      .finally(() => running.delete(run))
    running.add(run)
  }
  function look(): void {
    const now = components.addresses().toSorted().join()
    if (told !== '' && told !== now) components.onAddressChange()
    told = now
  }
  let looking: NodeJS.Timeout | undefined

  return {
    async start() {
      look()
      looking = setInterval(look, LOOK_MS).unref()
      for (const way of ways) {
        try {
          await way.start()
        } catch (error) {
          failed.push(`${way.name} does not run: ${error instanceof Error ? error.message.slice(0, 200) : String(error)}`)
          log.warn('discovery does not run', { way: way.name, error: String(error) })
        }
      }
    },
    addressesOf: found.addressesOf,
    async find(peerId, signal) {
      const answers = await Promise.all(ways.map((way) => way.find(peerId, signal).catch(() => [])))
      return [...new Set([...answers.flat(), ...found.addressesOf(peerId)])]
    },
    nearby: () => found.ids().filter((peerId) => !isKnown(peerId)),
    linked(peerId) {
      for (const way of ways) way.linked?.(peerId)
    },
    moved(left) {
      look()
      dialled.clear()
      for (const peerId of left) for (const ms of AFTER_MOVE_MS) dialSoon(peerId, ms)
      for (const way of ways) way.moved?.()
    },
    problems: () => [...failed, ...ways.flatMap((way) => way.problem() ?? [])],
    multicast: async () => await ways.find((way) => way.multicast)?.multicast?.(),
    async stop() {
      stopped.abort()
      clearInterval(looking)
      for (const timer of timers) clearTimeout(timer)
      await Promise.all(ways.map((way) => way.stop()))
      await Promise.all(running)
    },
  }
}
