import { fileURLToPath } from 'node:url'
import type { Bench, BenchContext } from './support/bench.ts'
import { openHop } from './support/hop.ts'
import { install } from './support/install.ts'
import { interleaved, rowOf, sides, skipped } from './support/rounds.ts'

const HOME = new URL('portkey/', import.meta.url)
const SERVER = new URL('node_modules/@portkey-ai/gateway/build/start-server.js', HOME)
const INSTALLED_BYTES = 120e6
const IN_FLIGHT = 32
const WARM_MS = 2_000
const ROUND_MS = 2_000
const WAYS = ['mesh', 'gateway'] as const

const init = {
  bench: 'gateway',
  what: 'calls/s against @portkey-ai/gateway 1.15.2, 32 in flight',
  unit: '×',
  budget: { atLeast: 2 },
}

/** A prompt's answer as a whole: over our hop (streamed, collected by the caller), and through Portkey's gateway (not streaming). */
export const gateway: Bench = {
  name: 'gateway',
  async run(context) {
    const problem = await install({ name: '@portkey-ai/gateway', home: HOME, proof: SERVER, bytes: INSTALLED_BYTES, say: context.say })
    if (problem !== undefined) return [skipped(init, problem)]
    const { caller, mock } = await openHop(context)
    await caller.call('openGateway', { url: await startPortkey(context), mock })
    const perSecond = (way: (typeof WAYS)[number], ms: number): Promise<number> =>
      caller.call('throughput', { way, model: 'fast', inFlight: IN_FLIGHT, ms })
    for (const way of WAYS) await perSecond(way, WARM_MS)
    const results = await interleaved(context.rounds, WAYS, (way) => perSecond(way, ROUND_MS))
    const note = `calls/s: ${sides(results, WAYS, (way, index) => results[index]?.[way] ?? Number.NaN)}`
    return [
      rowOf(
        { ...init, note },
        results.map(({ mesh, gateway }) => mesh / gateway),
      ),
    ]
  },
}

async function startPortkey({ children }: BenchContext): Promise<string> {
  const preload = new URL('roles/on-loopback.ts', import.meta.url).href
  const program = children.program(['--import', preload, fileURLToPath(SERVER), '--headless'], { NODE_ENV: 'production' })
  const [, port = ''] = await program.line(/loopback port: (\d+)/)
  return `http://127.0.0.1:${port}/v1/chat/completions`
}
