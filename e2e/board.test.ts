import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

const mesh = (name: string, url: string, peer: string): string => `
[agent]
provider = "rack"
model = "scripted"
[providers.rack]
kind = "openai-compatible"
base_url = "${url}"
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "${name}"
[[mesh.peers]]
role = "member"
${peer}
`

interface ShownNote {
  id: string
  text: string
  node: string
  by: { user?: string; agent?: string }
}

async function notesOn(machine: Machine): Promise<ShownNote[]> {
  const listed = await machine.run(['board', '--json'])
  assert.equal(listed.code, 0, listed.stderr)
  return JSON.parse(listed.stdout) as ShownNote[]
}

test(
  'what one member notes all members read, by person and by agent, also what was noted while one was away',
  { timeout: 180_000 },
  async () => {
    await using stack = new AsyncDisposableStack()
    const llm = await startScriptedLlm({
      'write it down': [[{ tool: 'board_write', input: { text: 'tests are red since noon' } }], 'written'],
      'what is new': [[{ tool: 'board_read', input: {} }], 'read'],
    })
    stack.defer(() => llm.stop())
    await using laptop = await createMachine()
    await using desk = await createMachine()
    const [laptopId, deskId] = [await laptop.peerId(), await desk.peerId()]
    await desk.writeConfig(mesh('desk', llm.url, `name = "laptop"\npeer_id = "${laptopId}"`))
    const deskNode = desk.start(['--headless', '--mesh'])
    const [, address = ''] = await deskNode.line(/listening: (\S+)/)
    await laptop.writeConfig(mesh('laptop', llm.url, `name = "desk"\naddr = "${address}"`))

    await writeFile(join(laptop.home, 'board.jsonl'), 'garbage')
    const away = await laptop.run(['board', 'add', '--json', 'deploys go through desk'])
    assert.equal(away.code, 0, away.stderr)
    assert.match(away.stderr, /board\.jsonl was damaged: .* kept as \S+board\.jsonl\.damaged:/)
    const laptopNode = laptop.start(['--headless', '--mesh'])
    await laptopNode.line(/listening: /)
    const [note] = await eventually('the desk has the note', async () => {
      const notes = await notesOn(desk)
      return notes.length === 1 ? notes : undefined
    })
    assert.deepEqual([note?.text, note?.node, note?.id.split('/')[0]], ['deploys go through desk', 'laptop', laptopId])

    const watching = laptop.start(['board', '--watch'])
    await watching.line(/deploys go through desk/)
    const asked = await desk.run(['run', '--allow', 'edit', 'write it down'])
    assert.equal(asked.code, 0, asked.stderr)
    await watching.line(/agent default on desk/)
    await watching.line(/tests are red since noon/)
    await watching.kill('SIGINT')

    const read = await laptop.run(['run', 'what is new'])
    assert.equal(read.code, 0, read.stderr)
    assert.match(JSON.stringify(llm.requests.at(-1)?.body.messages?.at(-1)), /the agent default on desk.*\\n> tests are red since noon/)
    const shown = await laptop.run(['board', '--match', 'RED'])
    assert.match(shown.stdout, /agent default on desk.*\n {2}tests are red since noon/)

    const removed = await laptop.run(['board', 'rm', note?.id ?? ''])
    assert.equal(removed.code, 0, removed.stderr)
    await eventually('it is gone there', async () => (await notesOn(desk)).every(({ text }) => !text.includes('deploys')))
    const others = await laptop.run(['board', 'rm', (await notesOn(laptop))[0]?.id.split('/')[1] ?? ''])
    assert.match(others.stderr, /where this one is an admin/)
    assert.equal((await notesOn(desk)).length, 1)
    assert.notEqual(deskId, laptopId)
  },
)

test('the board says what is wrong: no mesh, no such note, too long', async () => {
  await using machine = await createMachine()
  const none = await machine.run(['board'])
  assert.deepEqual([none.code, /over the mesh, which is not enabled/.test(none.stderr) || none.stderr], [2, true])
  await machine.writeConfig('[mesh]\nlisten = "/ip4/127.0.0.1/tcp/0"\ndiscovery = "none"\n')
  const missing = await machine.run(['board', 'rm', 'nothing'])
  assert.deepEqual([missing.code, /no note nothing/.test(missing.stderr)], [1, true])
  const long = await machine.run(['board', 'add'], { stdin: 'x'.repeat(5_000) })
  assert.deepEqual([long.code, /5000 bytes; at most 4096/.test(long.stderr)], [1, true])
})
