import { AppError } from '@qmtcode/protocol'

/** Notices that addresses of this machine came or went: another network, another lease, a VPN. */
export interface AddressWatch {
  start(): void
  /** Aborted when an address goes: a dial that began before may have begun from it, and would wait for answers that go there. */
  untilGone(): AbortSignal
  stop(): void
}

export interface AddressMove {
  gone: string[]
  come: string[]
}

const LOOK_MS = 500 // the system tells nobody; a look takes some 50 µs

export function createAddressWatch(components: { addresses(): string[]; onMove(move: AddressMove): void }): AddressWatch {
  let known: string[] = []
  let leaving = new AbortController()
  let timer: NodeJS.Timeout | undefined

  function look(): void {
    const now = components.addresses()
    const gone = known.filter((address) => !now.includes(address))
    const come = now.filter((address) => !known.includes(address))
    known = now
    if (gone.length + come.length === 0) return
    const left = leaving
    if (gone.length > 0) leaving = new AbortController()
    components.onMove({ gone, come })
    if (gone.length > 0) left.abort(new AppError('peer_unreachable', 'the address of this machine changed'))
  }
  return {
    start() {
      known = components.addresses()
      timer = setInterval(look, LOOK_MS).unref()
    },
    untilGone: () => leaving.signal,
    stop: () => clearInterval(timer),
  }
}
