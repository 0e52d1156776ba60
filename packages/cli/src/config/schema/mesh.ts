import { ROLES } from '@qmtcode/protocol'
import { z } from 'zod'
import { address, count, nodeName, oneOrMany, peerId, seconds, text, texts } from './values.ts'

const DEFAULT_LISTEN = '/ip4/0.0.0.0/tcp/9000'
const MAX_COUNT = 1_000_000

const timeoutsSchema = z.strictObject({
  first_token_secs: seconds().default(300).describe('How long a model may take to its first token.'),
  idle_secs: seconds().default(120).describe('How long a stream of a model may be silent after that.'),
})

const natSchema = z.strictObject({
  announce: oneOrMany(address('dial')).default([]).describe('Addresses this node tells peers, for forwarded ports.'),
  upnp: z.boolean().default(false).describe('Asks the router to forward the port.'),
  relay: z.enum(['client', 'none']).default('client').describe('Whether relays may carry links to and from this node.'),
  relays: oneOrMany(address('dial')).default([]).describe('Relays to use, each with `/p2p/…`.'),
  serve: z.boolean().default(false).describe('Relays for admitted peers, and tells them over UDP how they are seen (STUN).'),
  stun_port: z.int().min(1).max(65_534).default(3_478).describe('With `serve`: UDP port of STUN; the next one is used too.'),
  punch: z.boolean().default(true).describe('Opens direct ways to relayed peers through NATs, over UDP.'),
})

const shareSchema = z.strictObject({
  models: texts()
    .default(['*'])
    .describe('Models that peers of role `client` and up may call: `provider/model`, `*` stands for anything, `[]` shares none.'),
  agents: texts()
    .default([])
    .describe('Agents that peers of role `client` and up may create sessions with, by id; `*` stands for anything.'),
  workspaces: texts()
    .default([])
    .describe('Directories in which peers may have sessions, the default first; without one there are no remote sessions.'),
  sessions: z
    .enum(['shared', 'all', 'none'])
    .default('shared')
    .describe('Which session rows members see beside their own: those shared with a node, all that are not private, or none.'),
  admins_observe: z
    .boolean()
    .default(false)
    .describe('Whether admins may read the sessions of others here: those that begin from then on, and never private ones.'),
  shell: z
    .enum(['no', 'ask', 'sandbox'])
    .default('no')
    .describe("Whether peers' sessions have `shell`: never, by asking here, or unasked in a sandbox, where this machine has one."),
  mcp: z.boolean().default(false).describe("Whether peers' sessions may use this node's MCP servers."),
  delegate: z.boolean().default(false).describe("Whether peers' sessions may delegate or route to third nodes."),
  slots: count(1, MAX_COUNT).optional().describe('Calls of peers that run at once.'),
  queue: count(0, MAX_COUNT).optional().describe('Calls of peers that may wait for a slot.'),
  tokens_per_day: count(0, Number.MAX_SAFE_INTEGER).optional().describe('What each peer may use in a day.'),
})

const peerSchema = z.strictObject({
  name: nodeName().describe('What this peer is called here, in `peer = "…"` and on the command line.'),
  addr: address('dial').optional().describe('Where it listens; may end in `/p2p/PEER_ID`. May be left out with `peer_id`.'),
  peer_id: peerId().optional().describe('Who it must be. Admits the peer; without it the first id met at `addr` is pinned.'),
  role: z.enum(ROLES).optional().describe('What it may do here. Without one: `observer`.'),
  use: z.boolean().default(true).describe('Whether prompts may leave this machine to it.'),
  labels: texts().default([]).describe('Words to choose peers by.'),
  request_timeout_secs: seconds().optional().describe('Bound of a unary call to it. Default: that of `[mesh]`.'),
})

export const meshSchema = z.strictObject({
  enabled: z
    .boolean()
    .optional()
    .describe('Runs a mesh node. Default: true where a `[mesh]` or `[[mesh.peers]]` table stands, else false.'),
  listen: oneOrMany(address('listen')).optional().meta({
    default: DEFAULT_LISTEN, // for editors and docs: only what nobody wrote may move to the next free port
    description:
      'Multiaddr to listen on, or a list of them; port 0 is any free port, `[]` only dials. The default moves on when it is taken.',
  }),
  discovery: oneOrMany(z.enum(['mdns', 'kademlia', 'none']))
    .default('mdns')
    .describe('How peers beside the configured ones are found: one way, or a list.'),
  auto_fallback: z
    .boolean()
    .default(false)
    .describe(
      'Calls that cannot be served where they should go, for want of the model, the peer or an answer, go to usable peers that offer the model, then here.',
    ),
  request_timeout_secs: seconds().default(300).describe('Bound of a unary call; streams have `[mesh.timeouts]`.'),
  stream_reconnect_grace_secs: seconds(0)
    .default(120)
    .describe('How long a stream waits for a link that broke, on either side. 0: it ends with the link.'),
  node_name: nodeName().optional().describe('What peers call this node. Default: the host name.'),
  identity_file: text().optional().describe('Private key of this node. Default: `QMT_HOME/mesh_identity.key`.'),
  labels: texts().default([]).describe('Words this node says about itself.'),
  trust: z
    .enum(['known', 'open'])
    .default('known')
    .describe('`known`: only admitted peers. `open`: any peer becomes an observer that may call shared models.'),
  invite: text()
    .optional()
    .describe(
      'Invite to join a mesh by, or the path of a file that holds one, redeemed at a start that is no member yet; better as `${VAR}` or a file.',
    ),
  timeouts: timeoutsSchema.prefault({}).describe('Bounds of model streams over the mesh.'),
  nat: natSchema.prefault({}).describe('How this node is reached from outside its network.'),
  share: shareSchema.prefault({}).describe('What peers get from this node.'),
  peers: z.array(peerSchema).default([]).describe('Peers to connect to, and to prompt.'),
})
