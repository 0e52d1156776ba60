import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import { HANDSHAKE_PROTOCOL, encodeHello } from '../../packages/mesh/src/handshake/hello.ts'
import { HELLO, dial, fate, idOf, stranger } from '../../packages/mesh/src/testing/stranger.ts'
import { noTerminal, openTerminal } from '../support/pty.ts'
import { createMachine } from '../support/qmt.ts'
import type { Machine } from '../support/qmt.ts'
import { sample } from './target.ts'
import type { Attacker, Connection } from './target.ts'

const KNOCKS = sample('QMT_KNOCKS', 20)
const AT_ONCE = 5 // so many unknown peers a second may come from one address
const skip = noTerminal ?? (process.platform !== 'linux' && 'needs the addresses 127.0.0.0/8')

interface Row {
  peerId: string
  self: boolean
  trust: string
  addresses: string[]
}
const rowsOf = async (machine: Machine, command: 'nodes' | 'peers'): Promise<Row[]> => {
  const { code, stdout, stderr } = await machine.run([command, '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Row[]
}
const knocks = async (connection: Connection): Promise<boolean> =>
  (await fate(connection, HANDSHAKE_PROTOCOL, encodeHello(HELLO))).startsWith('answered')

/** Comes and knocks, as often as it takes. */
async function knock(node: Attacker, address: string): Promise<Connection> {
  return await eventually('it knocked', async () => {
    const connection = await dial(node, { address }).catch(() => undefined)
    return connection && (await knocks(connection)) ? connection : undefined
  })
}

test(`${KNOCKS} strangers knock while a person types: one is asked about, once, after the line`, { skip }, async () => {
  await using owned = new AsyncDisposableStack()
  const machine = owned.use(await createMachine())
  const llm = owned.use(await startScriptedLlm({ colours: ['red, green and blue'], shades: ['grey and grey'] }))
  await machine.writeConfig(`
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
[providers.scripted]
base_url = "${llm.url}"
[agent]
provider = "scripted"
model = "scripted"
`)
  const chat = owned.use(openTerminal(machine, ['--mesh']))
  await chat.shows(/^›$/m)
  const [self] = await rowsOf(machine, 'nodes')
  const address = `${self?.addresses[0]}`
  chat.type('col')
  await chat.shows(/^› col$/)

  const strangers: Attacker[] = []
  for (let at = 0; at < KNOCKS; at += 1) {
    strangers.push(owned.use(await stranger('tls', [], { from: `127.0.9.${Math.floor(at / AT_ONCE) + 1}` })))
  }
  await Promise.all(strangers.map(async (node) => await knock(node, address)))
  const knocking = new Set(strangers.map(idOf).map(String))
  const listed = (await rowsOf(machine, 'peers')).filter(({ peerId, trust }) => knocking.has(peerId) && trust === 'unknown')
  assert.equal(listed.length, KNOCKS)
  // Five an hour are told of, above the line, which stays; none is asked about.
  await chat.shows(/^(?:admission request: (?:(?!admission request)[^›])*){5}› col$/)

  chat.type('ours\r')
  await chat.shows(/^› colours\n[^]*red, green and blue\n[^›]*type admit or no ›$/)
  chat.type('no\r')
  await chat.shows(/admit or no › no\n[^›]*not admitted; to do it later:[^›]*\n›$/)
  await Promise.all(strangers.map(async (node) => await knock(node, address)))
  chat.type('shades\r')
  await chat.shows(/^› shades\n[^›]*grey and grey\n[^›]*\n›$/)
  assert.ok((await rowsOf(machine, 'peers')).every(({ peerId, trust }) => !knocking.has(peerId) || trust === 'unknown'))
})
