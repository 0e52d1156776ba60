/** What members tell each other, kept in memory: without the network's libraries. */
export { createKeptSet } from './gossip/kept-set.ts'
export type { Kept, KeptSet, KeptSetOptions } from './gossip/kept-set.ts'
export type { Gossip, GossipEntry, GossipSet, GossipStats } from './gossip/types.ts'
