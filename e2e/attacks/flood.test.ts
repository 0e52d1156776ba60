import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { HANDSHAKE_PROTOCOL, encodeHello } from '../../packages/mesh/src/handshake/hello.ts'
import { HELLO, dial, fate, idOf, stranger } from '../../packages/mesh/src/testing/stranger.ts'
import { quantile, sample, startTarget } from './target.ts'
import type { Target } from './target.ts'

const FLOOD_MS = sample('QMT_FLOOD_MS', 3_000)
const skip = process.platform !== 'linux' && 'needs the addresses 127.0.0.0/8'

interface Flood {
  tried: number
  stop(): void
}

/** Connections from `hosts`, `atOnce` at a time, each again as soon as it is closed; most say nothing, some garbage. */
function flood(address: string, hosts: readonly string[], atOnce: number): Flood {
  const port = Number(/tcp\/(\d+)/.exec(address)?.[1])
  const sockets = new Set<Socket>()
  const state = {
    tried: 0,
    isOver: false,
    stop() {
      state.isOver = true
      for (const socket of sockets) socket.destroy()
    },
  }
  const open = (): void => {
    if (state.isOver) return
    state.tried += 1
    const socket = connect({ port, host: '127.0.0.1', localAddress: hosts[state.tried % hosts.length] })
    sockets.add(socket)
    if (state.tried % 3 === 0) socket.write('\x13/multistream/1.0.0\n garbage')
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      setTimeout(open, 5)
    })
  }
  for (let i = 0; i < atOnce; i += 1) open()
  return state
}

/** The friend's calls before and during a flood. */
async function callsDuring(target: Target, run: () => Promise<Flood>): Promise<{ before: number[]; during: number[]; tried: number }> {
  const quiet = target.watch()
  await pause(FLOOD_MS / 2)
  const before = await quiet.stop()
  const flooding = await run()
  const watch = target.watch()
  await pause(FLOOD_MS)
  const during = await watch.stop()
  flooding.stop()
  return { before, during, tried: flooding.tried }
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const figures = (times: readonly number[]): string => `p50 ${quantile(times, 0.5).toFixed(1)}, p99 ${quantile(times, 0.99).toFixed(1)} ms`

test('a flood of connections from one address: the calls of an admitted peer go on', { skip }, async (context) => {
  await using target = await startTarget()
  const { before, during, tried } = await callsDuring(target, () => Promise.resolve(flood(target.address, ['127.0.3.1'], 200)))
  context.diagnostic(`${tried} connections; a friend's call ${figures(before)} before, ${figures(during)} during it (${during.length})`)
  assert.ok(quantile(during, 0.5) < quantile(before, 0.5) * 5 + 100, figures(during))
  await target.check()
})

test('a flood from 250 addresses: links stay, and a peer that was just admitted is in within ten seconds', { skip }, async (context) => {
  await using target = await startTarget()
  await using newcomer = await stranger('tls', [], { from: '127.0.5.1' })
  const hosts = Array.from({ length: 250 }, (_, at) => `127.0.4.${at + 1}`)
  const admit = await target.machine.run(['peers', 'admit', idOf(newcomer), '--role', 'client', '--yes'])
  assert.equal(admit.code, 0, admit.stderr)
  const flooding = flood(target.address, hosts, 500)
  try {
    const watch = target.watch()
    await pause(FLOOD_MS)
    const begun = performance.now()
    await eventually('the new one is in', async () => {
      const connection = await dial(newcomer, target).catch(() => undefined)
      if (connection && (await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(HELLO))).startsWith('answered')) return true
      await connection?.close().catch(() => {})
      await pause(250)
      return false
    })
    const waited = performance.now() - begun
    const during = await watch.stop()
    context.diagnostic(
      `${flooding.tried} connections from 250 addresses: the new one waited ${Math.round(waited)} ms; a friend's call ${figures(during)} (${during.length})`,
    )
    assert.ok(waited < 10_000, `${waited} ms`)
  } finally {
    flooding.stop()
  }
  await target.check()
})
