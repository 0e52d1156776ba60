import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { describe, test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { firstToConnect } from './fresh-tcp.ts'

const FRESH = { freshMs: 5 }
const unanswered = (signal: AbortSignal): Promise<Socket> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up')), { once: true }))

async function listening(): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

describe('a dial that begins again', () => {
  test('an attempt whose packets were lost does not hold up the one after it, and is given up', async () => {
    await using server = await listening()
    const signals: AbortSignal[] = []
    const attempt = async (signal: AbortSignal): Promise<Socket> => {
      signals.push(signal)
      if (signals.length < 3) return await unanswered(signal)
      const socket = connect(server.port, '127.0.0.1')
      await once(socket, 'connect')
      return socket
    }
    const socket = await firstToConnect(attempt, { signal: new AbortController().signal, ...FRESH })
    assert.ok(!socket.destroyed)
    assert.ok(signals.length >= 3)
    assert.deepEqual(
      signals.slice(0, 3).map((signal) => signal.aborted),
      [true, true, false],
    )
    socket.destroy()
  })

  test('of two that connect one is kept', async () => {
    await using server = await listening()
    const made: Socket[] = []
    let release: () => void = () => undefined
    const both = new Promise<void>((resolve) => (release = resolve))
    const attempt = async (): Promise<Socket> => {
      const socket = connect(server.port, '127.0.0.1')
      await once(socket, 'connect')
      made.push(socket)
      if (made.length === 2) release()
      await both
      return socket
    }
    const kept = await firstToConnect(attempt, { signal: new AbortController().signal, ...FRESH })
    await eventually('the other is closed', () => made.filter((socket) => socket.destroyed).length === made.length - 1)
    assert.ok(!kept.destroyed)
    kept.destroy()
  })

  test('who refuses is not asked again', async () => {
    let asked = 0
    const attempt = async (): Promise<Socket> => {
      asked += 1
      return await Promise.reject(new Error('connection refused'))
    }
    await assert.rejects(firstToConnect(attempt, { signal: new AbortController().signal, freshMs: 60_000 }), /refused/)
    assert.equal(asked, 1)
  })

  test('nobody answers: a few attempts, until the caller gives up', async () => {
    let asked = 0
    const given = new AbortController()
    const attempt = async (signal: AbortSignal): Promise<Socket> => {
      asked += 1
      if (asked === 5) setTimeout(() => given.abort(), 50)
      return await unanswered(signal)
    }
    await assert.rejects(firstToConnect(attempt, { signal: given.signal, ...FRESH }), /given up/)
    assert.equal(asked, 5)
  })
})
