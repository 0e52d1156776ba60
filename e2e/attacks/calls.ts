import { setTimeout as delay } from 'node:timers/promises'
import { HANDSHAKE_PROTOCOL, encodeHello } from '../../packages/mesh/src/handshake/hello.ts'
import { HELLO, dial, fate } from '../../packages/mesh/src/testing/stranger.ts'
import { quantile, sample } from './target.ts'
import type { Attacker, Target } from './target.ts'

export const FLOOD_MS = sample('QMT_FLOOD_MS', 3_000)

export interface Flood {
  tried: number
  stop(): void
}

/** The friend's calls before and during a flood. */
export async function callsDuring(target: Target, run: () => Flood): Promise<{ before: number[]; during: number[]; tried: number }> {
  const quiet = target.watch()
  await delay(FLOOD_MS / 2)
  const before = await quiet.stop()
  const flooding = run()
  const watch = target.watch()
  await delay(FLOOD_MS)
  const during = await watch.stop()
  flooding.stop()
  return { before, during, tried: flooding.tried }
}

/** Milliseconds until a node that may come is in; it tries again and again, as one does. */
export async function untilIn(newcomer: Attacker, address: string): Promise<number> {
  const begun = performance.now()
  while (performance.now() - begun < 60_000) {
    const connection = await dial(newcomer, { address }).catch(() => undefined)
    if (connection && (await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(HELLO))).startsWith('answered')) break
    await connection?.close().catch(() => {})
    await delay(250)
  }
  return performance.now() - begun
}

export const figures = (times: readonly number[]): string =>
  `p50 ${quantile(times, 0.5).toFixed(1)}, p99 ${quantile(times, 0.99).toFixed(1)} ms`
