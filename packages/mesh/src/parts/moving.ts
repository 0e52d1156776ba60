import { createAddressWatch } from '../addresses/address-watch.ts'
import type { AddressWatch } from '../addresses/address-watch.ts'
import { localInterfaceAddresses } from '../addresses/local-addresses.ts'
import type { LaterParts, PartsComponents } from './parts.ts'

/** What follows when this machine has other addresses: lines that are dead end, and everybody who is away is looked for again. */
export function createMoving({ log }: PartsComponents, later: LaterParts): AddressWatch {
  return createAddressWatch({
    addresses: localInterfaceAddresses,
    onMove(move) {
      const { links, keeper, upgrades, nat } = later.links()
      log.info('addresses of this machine changed', { ...move })
      const left = links.moved(move.gone)
      keeper.hurry()
      later.knowledge().discovery.moved(left)
      upgrades.hurry()
      nat.wake()
    },
  })
}
