// How nodes behind NATs come together. QMT_NAT=all: every pair of places (default: a sample).
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { labSkip } from '@qmtcode/testing/lab'
import { PLACES, createGround, meet } from './nat-ground.ts'
import type { Ground, Meeting, Place } from './nat-ground.ts'

const skip = labSkip()
type Pair = readonly [Place, Place]

const SAMPLE: Pair[] = [
  ['public', 'symmetric'],
  ['full-cone', 'symmetric'],
  ['port-restricted', 'port-restricted'],
  ['symmetric', 'symmetric'],
]
const every: Pair[] = PLACES.flatMap((first, at) => PLACES.slice(at).map((second) => [first, second] as const))
const pairs = process.env['QMT_NAT'] === 'all' ? every : SAMPLE

/** A symmetric NAT gives a port that nobody knows before; it is met only where a NAT lets in whoever is at an address that was asked. */
const isDirect = (pair: Pair): boolean =>
  pair.includes('public') || !pair.includes('symmetric') || pair.some((place) => place === 'full-cone' || place === 'address-restricted')
const WATCH_MS = 20_000
const WHY = /symmetric/

describe('nat', { skip }, () => {
  let ground: Ground
  const rows: string[] = []
  before(async () => {
    const places = PLACES.filter((place) => pairs.flat().includes(place))
    ground = await createGround(places.flatMap((place) => ['a', 'b'].map((side) => ({ name: `${side}-${place}`, place }))))
  })
  after(async () => {
    await ground[Symbol.asyncDispose]()
    process.stdout.write(`| this side | that side | link | connected | direct | address |\n${rows.join('\n')}\n`)
  })

  for (const pair of pairs) {
    test(`${pair[0]} and ${pair[1]}: ${isDirect(pair) ? 'directly' : 'over the relay'}`, async () => {
      const a = ground.nodes.find(({ name }) => name === `a-${pair[0]}`)
      const b = ground.nodes.find(({ name }) => name === `b-${pair[1]}`)
      assert.ok(a && b)
      const met = await meet(ground, [a, b], { watchMs: WATCH_MS, isSettled: (reason) => WHY.test(reason) })
      rows.push(row(pair, met))
      assert.equal(met.directMs !== undefined, isDirect(pair), JSON.stringify(met))
      if (!isDirect(pair)) assert.match(met.reason ?? '', WHY)
    })
  }
})

const row = ([a, b]: Pair, { connectedMs, directMs, address }: Meeting): string =>
  `| ${a} | ${b} | ${directMs === undefined ? 'relayed' : 'direct'} | ${seconds(connectedMs)} | ${seconds(directMs)} | ${address.replace(/\/p2p\/[^/]+/, '/p2p/…')} |`
const seconds = (ms: number | undefined): string => (ms === undefined ? '' : `${(ms / 1_000).toFixed(1)} s`)
