/** Bounds on everything that arrives from outside. Design §7, §8; one object so that tests can walk it. */
export const LIMITS = {
  /** One rpc frame. A tool result of 50 kB, twenty times over. */
  frameBytes: 1_048_576,
  /** One call, each direction. */
  callBytes: 67_108_864,
  /** Values in the JSON of one call, each direction: lists, objects and their members. */
  callValues: 500_000,
  /** All calls of one peer in flight. */
  peerInFlightBytes: 134_217_728,
  /** Nesting of JSON from a peer. */
  jsonDepth: 64,
  /** Bytes values larger than this travel as binary chunks beside the JSON. */
  inlineBytes: 65_536,
  /** What one call may send before the reader grants more. */
  callCreditBytes: 262_144,
  /** Streams to one peer, both services and directions together. */
  peerStreams: 256,
  /** Calls that wait for a stream to one peer. */
  peerQueuedCalls: 4_096,
  /** Handshake frame, each way. */
  handshakeBytes: 4_096,
  /** Sessions that one peer has made here and not deleted: years of a person, minutes of a loop. */
  peerSessions: 500,
  /** Follows of one peer at once: half of its streams, so that calls always find one. */
  peerFollows: 128,
  /** Prompts of one peer that wait or run here: a person has a handful, a program with more is a loop. */
  peerPrompts: 32,
  /** The same of all peers together: each that runs holds its conversation in memory. */
  peersPrompts: 256,
  /** Prompts and new sessions of one peer in a minute. An answer takes seconds. */
  peerPromptsAMinute: 120,
  /** What one session may hold: its turns hold all of it in memory, and no model takes as much. */
  sessionBytes: 33_554_432,
  /** What one peer brought to the sessions here. */
  peerSessionsBytes: 268_435_456,
  /** What all peers brought to the sessions here. */
  peersSessionsBytes: 2_147_483_648,
  /** Conversations of one peer that wait or run here, in memory. */
  peerContextBytes: 67_108_864,
  /** The same of all peers together. */
  peersContextBytes: 201_326_592,
  promptBytes: 8_388_608,
  titleChars: 200,
  nodeNameChars: 63,
  pageSize: 1_000,
  /** One text of an event or a file's data: a prompt of the greatest size in base64, with room. */
  textChars: 16_777_216,
  /** What a node, an agent, a model or a tool is called; and why something is as it is, in words. */
  nameChars: 300,
  reasonChars: 4_000,
  pathChars: 4_096,
  addressChars: 1_000,
  /** Lists in what a node says of itself or of a session: addresses, followers, models. */
  listItems: 10_000,
  /** Peers in one list of a node. */
  peersListed: 100_000,
  /** Events a local follower may lag behind before live deltas are dropped for it. */
  followerBufferedDeltas: 1_000,
  /** A note of the board, and notes of one node; the oldest beyond go. */
  noteBytes: 4_096,
  notesPerNode: 1_000,
  /** A directory record. */
  recordBytes: 65_536,
  /** What one gossip entry says. */
  gossipEntryBytes: 65_536,
  /** Entries of one gossip set. */
  gossipEntries: 10_000,
} as const
