import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { PeerId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { NO_NAT } from '../../packages/mesh/src/nat/nat-options.ts'
import { connected, makeNode, newHome, startNode } from '../../packages/mesh/src/testing/mesh-kit.ts'
import type { TestNode, TestNodeOptions } from '../../packages/mesh/src/testing/mesh-kit.ts'
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
  'relay, not admitted',
  'kad, admitted',
  'relay, admitted',
  'its relay',
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
const RELAY = ['/libp2p/circuit/relay/0.2.0/hop', '/libp2p/circuit/relay/0.2.0/stop']
const HIDDEN = ['/qmt/kad/1.0.0', '/qmt/directory/1', '/qmt/gossip/1', '/qmt/bans/1', '/qmt/models/1', '/qmt/sessions/1', ...RELAY]

interface Stage {
  foreign: ForeignNode
  /** Knows `far`, uses Kademlia, and is a relay. */
  near: TestNode
  far: TestNode
  /** Listens nowhere, and has a place at `near`. */
  hidden: TestNode
  /** Another one of the same language. */
  startSecond(): Promise<ForeignNode>
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
  'we dial it': async ({ foreign }) => await seenAt(foreign.address, foreign),
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
  'relay, not admitted': async ({ foreign, near, hidden }) => {
    await assert.rejects(foreign.ask('reserve', near.address))
    await assert.rejects(foreign.ask('ping', over(near, hidden)))
    assert.equal(await placesAt(near), OUR_PLACES)
  },
  'relay, admitted': relayAdmitted,
  'its relay': async ({ foreign, startSecond }) => {
    await using second = await startSecond()
    await second.ask('reserve', foreign.address)
    await seenAt(over(foreign, second), second)
  },
  'its key': itsKey,
}

const OUR_PLACES = 2 // of far and hidden
const placesAt = async (relay: TestNode): Promise<number | undefined> => (await relay.node.peers.status()).nat?.serves?.reservations

const over = (relay: { address: string }, there: { peerId: string }): string => `${relay.address}/p2p-circuit/p2p/${there.peerId}`

/** It calls one that has a place at our relay, gets a place itself, and is called by us. Each line is encrypted from end to end, and has their ids. */
async function relayAdmitted({ foreign, near, hidden }: Stage): Promise<void> {
  for (const { node } of [near, hidden]) await node.trust.admit(foreign.peerId as PeerId, { role: 'observer' })
  await foreign.ask('close', over(near, hidden)) // it remembers what failed
  assert.ok(((await foreign.ask('ping', over(near, hidden))).ms ?? -1) >= 0)
  await foreign.ask('reserve', near.address)
  const made = await makeNode()
  await made.node.stop()
  await near.node.trust.admit(made.node.peerId)
  await seenAt(over(near, foreign), foreign, made.home)
}

/** Our node says what the other is: connection, encryption, identity and a stream worked. */

async function seenAt(addr: string, { peerId }: ForeignNode, home?: string): Promise<void> {
  await using dialler = await startNode({ name: 'dialler', home, peers: [{ name: 'foreign', addr }] })
  const seen = await eventually('what it is', async () =>
    (await dialler.node.peers.list()).find(
      ({ name, problem }) => name === 'foreign' && /it is a libp2p node, but no qmtcode/.test(problem ?? ''),
    ),
  )
  assert.equal(seen.peerId, peerId)
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
  await using near = await startNode({ name: 'near', ...kad, nat: { ...NO_NAT, serve: true } })
  await using far = await admitted('far', near, { ...kad, peers: [{ name: 'near', addr: near.address }] })
  await connected(far, near)
  await using hidden = await admitted('hidden', near, { listen: [], nat: { ...NO_NAT, relays: [near.address] } })
  await eventually('places at the relay', async () => (await placesAt(near)) === OUR_PLACES)
  const start = async (): Promise<ForeignNode> => {
    const keyFile = join(await newHome(), 'key')
    const started = await startForeign(binary, { keyFile, security: line.security, listen: line.listen })
    keyFiles.set(started, keyFile)
    return started
  }
  await using foreign = await start()
  const results: Row['results'] = new Map()
  for (const check of CHECKS) results.set(check, await problemOf(STEPS[check]({ foreign, near, far, hidden, startSecond: start })))
  return { node: name, line: line.name, results }
}

/** A node of ours that `by` admitted before it started. */
async function admitted(name: string, by: TestNode, options: TestNodeOptions): Promise<TestNode> {
  const made = await makeNode({ name })
  await made.node.stop()
  await by.node.trust.admit(made.node.peerId)
  return await startNode({ name, ...options, home: made.home })
}

async function problemOf(step: Promise<void>): Promise<string | undefined> {
  try {
    await step
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
