import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { idOf, stranger } from '../../packages/mesh/src/testing/stranger.ts'
import { FLOOD_MS, callsDuring, figures, untilIn } from './calls.ts'
import type { Flood } from './calls.ts'
import { quantile, startTarget } from './target.ts'

const skip = process.platform !== 'linux' && 'needs the addresses 127.0.0.0/8'

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

test('a flood of connections from one address: the calls of an admitted peer go on', { skip }, async (context) => {
  await using target = await startTarget()
  const { before, during, tried } = await callsDuring(target, () => flood(target.address, ['127.0.3.1'], 200))
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
    await delay(FLOOD_MS)
    const waited = await untilIn(newcomer, target.address)
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
