import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { AppError, isAppError, silentLogger, systemClock } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { newLink } from '../../links/link.ts'
import type { Line } from '../../links/link.ts'
import { punchContract } from './contract.ts'
import type { MeetingSide } from './contract.ts'
import { createPunch } from './punch.ts'
import type { PunchComponents } from './punch.ts'

const [LOW, HIGH] = ['a-peer', 'b-peer'] as [PeerId, PeerId]
const TOKEN = 'a-token-that-both-of-them-know'
const SEEN: MeetingSide = { nat: 'independent', mapped: { host: '203.0.113.7', port: 40_000 } }
const noQuic = (): Promise<never> => Promise.reject(new AppError('bad_config', 'QUIC does not work on this machine'))

/** One side, linked over a relay with a peer that answers `there`. */
function side(self: PeerId, there: MeetingSide, over: Partial<PunchComponents> = {}) {
  const peerId = self === LOW ? HIGH : LOW
  const relayed = multiaddr('/ip4/203.0.113.8/tcp/9000/p2p-circuit')
  const link = { ...newLink(peerId), isUp: true, lines: [{ connection: { remoteAddr: relayed } } as unknown as Line] }
  link.there = { v: 1, name: 'there', version: '1', state: 'admitted', services: [punchContract.service] }
  const asked: MeetingSide[] = []
  const punch = createPunch(
    {
      clock: systemClock,
      log: silentLogger,
      linkOf: () => link,
      clientOf: () => ({ stun: noQuic, meet: (offer) => Promise.resolve((asked.push(offer), there)) }),
      look: () => Promise.resolve(SEEN),
      quic: () => Promise.reject(new AppError('internal', 'nothing may come so far')),
      greet: () => Promise.resolve(),
      ...over,
    },
    { self, isOn: true },
  )
  return { punch, peerId, asked }
}
const quic: PunchComponents['quic'] = () =>
  Promise.resolve({ endpoint: noQuic, accept: noQuic, dial: noQuic, carries: () => false, stop: () => Promise.resolve() })
const signal = (): AbortSignal => AbortSignal.timeout(5_000)

test('without QUIC on one machine both sides stay relayed, and both say why', async () => {
  const low = side(LOW, SEEN, { quic: noQuic })
  await assert.rejects(low.punch.reach(HIGH, signal()), /QUIC does not work/)
  assert.match(low.asked[0]?.problem ?? '', /QUIC does not work/)
  assert.match(low.punch.problemOf(HIGH) ?? '', /^QUIC does not work/)
  const high = side(HIGH, SEEN, { quic })
  assert.deepEqual(await high.punch.meet(LOW, { token: TOKEN, ...(low.asked[0] ?? SEEN) }, signal()), SEEN)
  await high.punch.stop()
  assert.match(high.punch.problemOf(LOW) ?? '', /^it says: QUIC does not work/)
})

const PLACES = [
  ['127.0.0.1', /nobody is/],
  ['0.1.2.3', /nobody is/],
  ['224.0.0.251', /nobody is/],
  ['255.255.255.255', /nobody is/],
] as const

for (const [host, reason] of PLACES) {
  test(`a peer that says it is seen as ${host} is sent nothing`, async () => {
    const { punch } = side(LOW, { nat: 'independent', mapped: { host, port: 5_353 } }, { quic })
    await assert.rejects(punch.reach(HIGH, signal()), reason)
  })
}

test('ports of services, and what is no token or no address, are no offer', () => {
  const { input } = punchContract.methods.meet
  const offer = { token: TOKEN, ...SEEN }
  assert.ok(input.safeParse(offer).success)
  const wrong = [
    { ...offer, mapped: { host: '203.0.113.7', port: 53 } },
    { ...offer, mapped: { host: 'example.org', port: 4_000 } },
    { ...offer, mapped: { host: '::1', port: 4_000 } },
    { ...offer, token: 'short' },
    { ...offer, token: `${TOKEN}\n` },
    { ...offer, problem: 'x'.repeat(301) },
  ]
  for (const given of wrong) assert.equal(input.safeParse(given).success, false, JSON.stringify(given))
})

test('a peer has one attempt at a time, and eight a minute', async () => {
  const blocked = Promise.withResolvers<MeetingSide>()
  const { punch } = side(HIGH, SEEN, { quic, look: () => blocked.promise })
  const first = punch.meet(LOW, { token: TOKEN, ...SEEN, nat: 'unknown', mapped: undefined }, signal())
  await assert.rejects(punch.meet(LOW, { token: TOKEN, ...SEEN }, signal()), (error) => isAppError(error, 'busy'))
  blocked.resolve(SEEN)
  await first
  await punch.stop()
  const other = side(HIGH, SEEN, { quic: noQuic }).punch
  const outcomes: string[] = []
  for (let at = 0; at < 10; at += 1) {
    const met = await other.meet(LOW, { token: TOKEN, ...SEEN }, signal()).catch((error: unknown) => error)
    outcomes.push(met instanceof AppError ? met.code : 'met')
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(outcomes.slice(8), ['rate_limited', 'rate_limited'])
})

test('QUIC is made once, for whoever comes first, and ends with the node', async () => {
  const calls: string[] = []
  const made: PunchComponents['quic'] = async () => {
    calls.push('made')
    return { ...(await quic()), stop: () => Promise.resolve(void calls.push('stopped')) }
  }
  const { punch } = side(HIGH, SEEN, { quic: made })
  const blind = { token: TOKEN, nat: 'unknown' } as const
  await Promise.all([punch.meet(LOW, blind, signal()), punch.meet('another' as PeerId, blind, signal())])
  await punch.stop()
  await punch.close()
  assert.deepEqual(calls, ['made', 'stopped'])
})

test('a peer that is linked directly has nothing to meet for', async () => {
  const { punch } = side(HIGH, SEEN, { quic, linkOf: () => undefined })
  await assert.rejects(punch.meet(LOW, { token: TOKEN, ...SEEN }, signal()), (error) => isAppError(error, 'conflict'))
})
