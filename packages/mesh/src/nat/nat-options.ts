/** How a node is reached from outside its network. */
export interface NatOptions {
  /** Addresses that peers are told beside those that are listened on: of forwarded ports. */
  announce: string[]
  /** Asks the router for forwarded ports. */
  upnp: boolean
  /** `none`: no link of this node leads over a relay. */
  relay: 'client' | 'none'
  /** Relays to have a place at, with `/p2p`. Empty: those of the linked peers that offer it. */
  relays: string[]
  /** Relays for admitted peers, and tells them over UDP how they are seen. */
  serve: boolean
  /** With `serve`: the UDP port of STUN; the next one is used too. 0: any two. */
  stunPort: number
  /** Opens direct ways to relayed peers through NATs, over UDP. */
  punch: boolean
}

export const NO_NAT: NatOptions = { announce: [], upnp: false, relay: 'client', relays: [], serve: false, stunPort: 0, punch: false }
