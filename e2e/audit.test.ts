import assert from 'node:assert/strict'
import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import { laptopConfig, startTwoMachines } from './support/two-machines.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

interface Line {
  kind: string
  direction?: string
  what: string
  name?: string
  peerId?: string
  target?: string
  outcome: string
  by?: string
  user?: string
  reason?: string
  ms?: number
  bytesIn?: number
  bytesOut?: number
}

async function audit(machine: Machine, ...args: string[]): Promise<Line[]> {
  const { code, stdout, stderr } = await machine.run(['audit', '--json', ...args])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Line[]
}

const PROVIDER_KEY = 'sk-canary-5f2c9a71'
const PROMPT = 'canary prompt 81c4'
const ANSWER = 'canary answer 93d7'

test('a call leaves a line at both ends; a knock, an admission and an invite one here; nothing of their content', async () => {
  await using llm = await startScriptedLlm([ANSWER])
  await using machines = await startTwoMachines({ url: llm.url, apiKey: PROVIDER_KEY })
  const { laptop, server, address, peerId } = machines
  const ran = await laptop.run(['run', '--agent', 'gpu-coder', PROMPT])
  assert.equal(ran.code, 0, ran.stderr)
  const laptopId = await laptop.peerId()

  const called = await eventually('the server has noted the call', async () =>
    (await audit(server)).find(({ what, direction }) => what === 'models.stream' && direction === 'in'),
  )
  assert.deepEqual(
    [called.kind, called.name, called.peerId, called.target, called.outcome],
    ['call', 'laptop', laptopId, 'rack/scripted', 'ok'],
  )
  assert.ok((called.ms ?? 0) > 0 && (called.bytesIn ?? 0) > 100 && (called.bytesOut ?? 0) > 100, JSON.stringify(called))
  const [asked] = (await audit(laptop, '--peer', 'gpu-server')).filter(({ what }) => what === 'models.stream')
  assert.deepEqual([asked?.direction, asked?.peerId, asked?.target, asked?.outcome], ['out', peerId, 'rack/scripted', 'ok'])

  await using stranger = await createMachine()
  await stranger.writeConfig(laptopConfig(address).replace('"laptop"', '"mallory"'))
  const refused = await stranger.run(['run', '--agent', 'gpu-coder', PROMPT])
  assert.equal(refused.code, 4, refused.stdout + refused.stderr)
  const strangerId = await stranger.peerId()
  const [there] = (await audit(stranger)).filter(({ kind, direction }) => kind === 'refused' && direction === 'out')
  assert.equal(there?.peerId, peerId)
  const knocked = await eventually('the knock', async () =>
    (await audit(server, '--peer', strangerId)).find(({ kind }) => kind === 'request'),
  )
  assert.deepEqual([knocked.what, knocked.name, knocked.direction], ['admission', 'mallory', 'in'])

  assert.equal((await server.run(['peers', 'admit', strangerId, '--role', 'observer', '--yes'])).code, 0)
  const invited = await server.run(['invite', '--yes', '--json'])
  const { url } = JSON.parse(invited.stdout) as { url: string }
  const decided = await eventually('decisions', async () => {
    const lines = (await audit(server, '--since', '1h')).filter(({ by }) => by === 'person')
    return lines.length === 2 ? lines : undefined
  })
  assert.deepEqual(
    decided.map(({ kind, what, outcome }) => [kind, what, outcome]),
    [
      ['trust', 'admit', 'ok'],
      ['invite', 'made', 'ok'],
    ],
  )
  assert.ok(decided[0]?.user)

  const isChatter = ({ what }: Line): boolean => /^(bans|directory|gossip)\./.test(what)
  await eventually('what nodes tell each other by themselves', async () => (await audit(server, '--all')).some(isChatter))
  assert.deepEqual((await audit(server)).filter(isChatter), [])

  const table = await server.run(['audit', '--limit', '50'])
  assert.match(table.stdout, /← models\.stream +ok +rack\/scripted/)
  assert.equal((await stat(join(server.home, 'audit.jsonl'))).mode & 0o777, 0o600)
  await machines.node.kill()
  const secret = secretOf(url)
  for (const { home } of [laptop, server, stranger]) {
    for (const name of (await readdir(home)).filter((file) => /audit|\.log|node\.json/.test(file))) {
      const text = await readFile(join(home, name), 'utf8')
      for (const canary of [PROVIDER_KEY, PROMPT, ANSWER, secret, url]) assert.ok(!text.includes(canary), `${canary} in ${name}`)
    }
  }
})

/** The URL's third field: 16 random bytes. */
const secretOf = (url: string): string => {
  const payload = url.slice('qmt://mesh/join/'.length).split('.')[0] ?? ''
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as string[])[2] ?? ''
}
