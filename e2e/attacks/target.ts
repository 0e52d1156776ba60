import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from '@qmtcode/testing'
import type { PeerId } from '@qmtcode/protocol'
import { HANDSHAKE_PROTOCOL, encodeHello } from '../../packages/mesh/src/handshake/hello.ts'
import { overQuic } from '../../packages/mesh/src/testing/quic-stranger.ts'
import { HELLO, dial, fate, idOf, stranger } from '../../packages/mesh/src/testing/stranger.ts'
import { createMachine } from '../support/qmt.ts'
import type { Machine } from '../support/qmt.ts'
import { admitted, createRawPeer } from '../support/raw-peer.ts'
import type { RawPeer } from '../support/raw-peer.ts'

export type Attacker = Awaited<ReturnType<typeof stranger>>
export type Connection = Awaited<ReturnType<typeof dial>>

/** The seed of a run, and its size: `npm test` runs a sample, `node scripts/soak.ts attacks` all. */
export const SEED = Number(process.env['QMT_SEED'] ?? '1')
export const sample = (name: string, few: number): number => Number(process.env[name] ?? few)

/** A real qmtcode process that is attacked, and a friend of it that must not notice. */
export interface Target extends AsyncDisposable {
  machine: Machine
  address: string
  /** The same over QUIC, where it listens. */
  quicAddress?: string
  pid: number
  /** Connected over QUIC where the node listens, else over TCP. */
  friend: RawPeer
  /** A member here, whose intentions are bad. */
  member: Attacker
  /** What the node registered, as a member is told. */
  protocols: string[]
  residentMb(): Promise<number>
  /** The friend's calls from now on, one after the other. */
  watch(): Watch
  /** Fails if the process ended, or said that something was not caught. */
  check(): Promise<void>
}

interface Watch {
  /** Milliseconds a call took, the shortest first. Throws if one failed. */
  stop(): Promise<number[]>
}

/** `listen`: TCP and more. `peers`: further tables of the configuration. */
export async function startTarget(options: { listen?: string; peers?: string } = {}): Promise<Target> {
  await using starting = new AsyncDisposableStack()
  const machine = starting.use(await createMachine())
  const friend = starting.use(await createRawPeer({ transports: overQuic() }))
  const member = starting.use(await stranger())
  await machine.writeConfig(configOf([friend.peerId, idOf(member)], options))
  const node = machine.start(['--headless', '--mesh'])
  const [, address = ''] = await node.line(/listening: (\/ip4\/127\S+\/tcp\S+\/p2p\/\S+)/)
  const isQuic = options.listen?.includes('/quic-v1') === true
  const [, quicAddress] = isQuic ? await node.line(/listening: (\/ip4\/127\S+\/quic-v1\/p2p\/\S+)/) : []
  await friend.connect(quicAddress ?? address, { greets: true })
  await admitted(friend)
  const connection = await intrude(member, address)
  const protocols = await eventually('what a member is told', async () => {
    const told = await member.peerStore.get(connection.remotePeer)
    return told.protocols.some((protocol) => protocol.startsWith('/qmt/gossip')) ? told.protocols : undefined
  })
  const { pid = 0 } = node.process
  const started = starting.move()
  return {
    machine,
    address,
    quicAddress,
    pid,
    friend,
    member,
    protocols,
    residentMb: () => residentMb(pid),
    watch: () => watch(friend),
    async check() {
      assert.equal(node.process.exitCode, null, node.output())
      assert.doesNotMatch(await readFile(join(machine.home, 'qmtcode.log'), 'utf8'), /uncaught|unhandled/i)
      const { size } = await stat(join(machine.home, 'audit.jsonl'))
      assert.ok(size < 1_000_000, `the audit has ${size} bytes`)
      await admitted(friend)
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const configOf = (members: PeerId[], { listen = '"/ip4/127.0.0.1/tcp/0"', peers = '' }: { listen?: string; peers?: string }): string => `
[mesh]
listen = ${listen}
discovery = "kademlia"
node_name = "target"
[mesh.share]
models = ["*"]
agents = ["*"]
workspaces = ["."]
${members.map((peerId, at) => `[[mesh.peers]]\nname = "member-${at}"\npeer_id = "${peerId}"\nrole = "member"\nuse = false\n`).join('')}
${peers}`

async function residentMb(pid: number): Promise<number> {
  const [, kb = '0'] = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kb) / 1_024
}

function watch(friend: RawPeer): Watch {
  const leaving = new AbortController()
  const times: number[] = []
  const watching = (async () => {
    while (!leaving.signal.aborted) {
      const begun = performance.now()
      const { code } = await friend.call('list', {})
      assert.equal(code, undefined, `the friend's call: ${code}`)
      times.push(performance.now() - begun)
      await delay(5)
    }
  })()
  watching.catch(() => leaving.abort())
  return {
    async stop() {
      leaving.abort()
      await watching
      return times.sort((a, b) => a - b)
    },
  }
}

export const quantile = (sorted: readonly number[], share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0

/** A connection that has said hello; refused ones are tried again, as the rate of unknown peers allows. */
export async function intrude(attacker: Attacker, address: string): Promise<Connection> {
  return await eventually('a stranger is let in', async () => {
    // A refused one opens, and is closed then.
    const connection = await dial(attacker, { address }).catch(() => undefined)
    if (connection && (await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(HELLO))).startsWith('answered')) return connection
    await connection?.close().catch(() => {})
    await delay(200)
    return undefined
  })
}
