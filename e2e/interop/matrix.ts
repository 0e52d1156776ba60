import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { connected, makeNode, newHome, startNode } from '../../packages/mesh/src/testing/mesh-kit.ts'
import type { TestNode } from '../../packages/mesh/src/testing/mesh-kit.ts'
import { startForeign } from './foreign-node.ts'
import type { ForeignNode } from './foreign-node.ts'

export interface Line {
  name: string
  security: 'tls' | 'noise'
  listen: string
}
export const LINES: readonly Line[] = [
  { name: 'TCP, TLS', security: 'tls', listen: '/ip4/127.0.0.1/tcp/0' },
  { name: 'TCP, Noise', security: 'noise', listen: '/ip4/127.0.0.1/tcp/0' },
  { name: 'QUIC', security: 'tls', listen: '/ip4/127.0.0.1/udp/0/quic-v1' },
]
export const CHECKS = [
  'it dials us',
  'ping',
  'identify',
  'stranger refused',
  'we dial it',
  'kad, not admitted',
  'kad, admitted',
  'its key',
] as const
type Check = (typeof CHECKS)[number]

/** Of one line: each check, with what went wrong. */
export interface Row {
  node: string
  line: string
  results: Map<Check, string | undefined>
}

const SHOWN = ['/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/qmt/handshake/1']
const HIDDEN = ['/qmt/kad/1.0.0', '/qmt/directory/1', '/qmt/gossip/1', '/qmt/bans/1', '/qmt/models/1', '/qmt/sessions/1']

interface Stage {
  foreign: ForeignNode
  /** Knows `far`, and uses Kademlia. */
  near: TestNode
  far: TestNode
  line: Line
}

const STEPS: Record<Check, (stage: Stage) => Promise<void>> = {
  'it dials us': async ({ foreign, near }) => void (await foreign.ask('dial', near.address)),
  ping: async ({ foreign, near }) => assert.ok(((await foreign.ask('ping', near.address)).ms ?? -1) >= 0),
  identify: async ({ foreign, near }) => {
    const { agent, protocols } = await foreign.ask('identify', near.address)
    assert.equal(agent, 'qmtcode/0.1.0')
    assert.deepEqual(protocols?.toSorted(), SHOWN)
  },
  'stranger refused': async ({ foreign, near }) => {
    for (const protocol of HIDDEN) await assert.rejects(foreign.ask('open', near.address, protocol), protocol)
    // The refusals were of the protocols: another one is answered, on the same connection.
    assert.equal((await foreign.ask('open', near.address, '/ipfs/ping/1.0.0')).bytes, 64)
  },
  'we dial it': weDial,
  'kad, not admitted': async ({ foreign, near, far }) => {
    await assert.rejects(foreign.ask('find', near.address, far.peerId))
  },
  'kad, admitted': async ({ foreign, near, far }) => {
    await foreign.ask('close', near.address)
    // At both: rust-libp2p tells of a peer only what it could ask itself.
    for (const { node } of [near, far]) await node.trust.admit(foreign.peerId as PeerId, { role: 'observer' })
    const found = await eventually(
      'the third node is found',
      async () =>
        await foreign.ask('find', near.address, far.peerId).then(
          ({ addresses }) => addresses ?? undefined,
          () => undefined,
        ),
    )
    const bare = far.address.replace(/\/p2p\/.*/, '')
    assert.ok(
      found.some((address) => address.startsWith(bare)),
      found.join(' '),
    )
  },
  'its key': itsKey,
}

/** Our node says what the other is: connection, encryption, identity and a stream worked. */
async function weDial({ foreign }: Stage): Promise<void> {
  await using dialler = await startNode({ name: 'dialler', peers: [{ name: 'foreign', addr: foreign.address }] })
  const seen = await eventually('what it is', async () => (await dialler.node.peers.list()).find(({ problem }) => problem))
  assert.match(seen.problem ?? '', /it is a libp2p node, but no qmtcode/)
  assert.equal(seen.peerId, foreign.peerId)
}

/** The key file that it made is a node's identity here. */
async function itsKey({ foreign }: Stage): Promise<void> {
  const keyFile = keyFiles.get(foreign) ?? ''
  const { node } = await makeNode({ identityFile: keyFile })
  await node.stop()
  assert.equal(node.peerId, foreign.peerId)
}

const keyFiles = new WeakMap<ForeignNode, string>()

export async function runLine({ binary, name }: { binary: string; name: string }, line: Line): Promise<Row> {
  const kad = { discovery: ['kademlia' as const], listen: [line.listen] }
  await using near = await startNode({ name: 'near', ...kad })
  const made = await makeNode({ name: 'far' })
  await made.node.stop()
  await near.node.trust.admit(made.node.peerId)
  await using far = await startNode({ name: 'far', home: made.home, peers: [{ name: 'near', addr: near.address }], ...kad })
  await connected(far, near)
  const keyFile = join(await newHome(), 'key')
  await using foreign = await startForeign(binary, { keyFile, security: line.security, listen: line.listen })
  keyFiles.set(foreign, keyFile)
  const results: Row['results'] = new Map()
  for (const check of CHECKS) results.set(check, await problemOf(STEPS[check]({ foreign, near, far, line })))
  return { node: name, line: line.name, results }
}

async function problemOf(step: Promise<void>): Promise<string | undefined> {
  try {
    await step
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
