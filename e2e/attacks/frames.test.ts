import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelsContract, protocolIdOf, sessionsContract } from '@qmtcode/protocol'
import { directoryContract } from '../../packages/mesh/src/directory/contract.ts'
import { gossipContract } from '../../packages/mesh/src/gossip/contract.ts'
import { punchContract } from '../../packages/mesh/src/nat/punch/contract.ts'
import { bansContract } from '../../packages/mesh/src/trust/ban-news.ts'
import { stranger } from '../../packages/mesh/src/testing/stranger.ts'
import { seeded } from '../support/seeded.ts'
import { createFuzzer } from './fuzz.ts'
import type { Fuzzer } from './fuzz.ts'
import { SEED, intrude, quantile, sample, startTarget } from './target.ts'
import type { Attacker, Connection } from './target.ts'

const FRAMES = sample('QMT_FRAMES', 500)
const CONTRACTS = [bansContract, directoryContract, gossipContract, modelsContract, punchContract, sessionsContract]
/** So many of a stream; a stranger's allowance is spent by streams, not by frames. */
const FRAMES_A_STREAM = 10
const AT_ONCE = 8

interface Fates {
  reset: number
  kept: number
  connections: number
}

for (const who of ['unknown', 'admitted'] as const) {
  test(`${FRAMES} fuzzed frames a protocol, of a peer that is ${who}: nothing ends but its own streams and connections`, async (context) => {
    await using target = await startTarget()
    const fuzzer = createFuzzer(seeded(SEED), CONTRACTS)
    const before = await target.residentMb()
    const watch = target.watch()
    let dropped = 0
    for (const protocol of target.protocols) {
      const lanes = who === 'admitted' ? [target.member] : await lanesOf()
      const fates: Fates = { reset: 0, kept: 0, connections: 0 }
      await Promise.all(
        lanes.map((lane) => attack(lane, { address: target.address, protocol, frames: FRAMES / lanes.length, fuzzer, fates })),
      )
      if (who === 'unknown') for (const lane of lanes) await lane.stop()
      context.diagnostic(`${protocol}: ${fates.reset} streams reset, ${fates.kept} not, ${fates.connections} connections`)
      assert.ok(fates.reset > 0, `${protocol}: no stream was reset`)
      if (CONTRACTS.some((contract) => protocolIdOf(contract) === protocol)) dropped += fates.connections - lanes.length
    }
    if (who === 'admitted') assert.ok(dropped > 0, 'the peer was not dropped') // a stranger is, once it costs more than it may
    const times = await watch.stop()
    const grown = (await target.residentMb()) - before
    context.diagnostic(
      `seed ${SEED}: grown by ${grown.toFixed(0)} MB; ${times.length} calls of a friend, p50 ${quantile(times, 0.5).toFixed(1)}, p99 ${quantile(times, 0.99).toFixed(1)} ms`,
    )
    assert.ok(grown < 200, `grown by ${grown} MB`)
    await target.check()
  })
}

const lanesOf = (): Promise<Attacker[]> =>
  Promise.all(
    Array.from({ length: process.platform === 'linux' ? 4 : 1 }, (_, lane) => stranger('tls', [], { from: `127.0.2.${lane + 1}` })),
  )

interface Attack {
  address: string
  protocol: string
  frames: number
  fuzzer: Fuzzer
  fates: Fates
}

async function attack(attacker: Attacker, { address, protocol, frames, fuzzer, fates }: Attack): Promise<void> {
  let connection: Connection | undefined
  for (let left = frames; left > 0;) {
    if (connection?.status !== 'open') {
      connection = await intrude(attacker, address)
      fates.connections += 1
    }
    const streams = Math.min(AT_ONCE, Math.ceil(left / FRAMES_A_STREAM))
    await Promise.all(Array.from({ length: streams }, () => pour(connection as Connection, protocol, { fuzzer, fates })))
    left -= streams * FRAMES_A_STREAM
  }
}

/** One stream of fuzzed frames; it ends when the other side resets it, or a while after the last. */
async function pour(connection: Connection, protocol: string, { fuzzer, fates }: Pick<Attack, 'fuzzer' | 'fates'>): Promise<void> {
  const stream = await connection
    .newStream(protocol, { signal: AbortSignal.timeout(5_000), maxOutboundStreams: 1_000 })
    .catch(() => undefined)
  if (!stream) {
    fates.reset += 1
    return
  }
  const closed = new Promise<'reset'>((resolve) => stream.addEventListener('close', () => resolve('reset')))
  for (let sent = 0; sent < FRAMES_A_STREAM && stream.writeStatus === 'writable'; sent += 1) stream.send(fuzzer.next(protocol))
  const waited = new Promise<'kept'>((resolve) => setTimeout(() => resolve('kept'), 100))
  const fate = stream.status === 'open' ? await Promise.race([closed, waited]) : 'reset'
  fates[fate] += 1
  if (fate === 'kept') stream.abort(new Error('enough'))
}
