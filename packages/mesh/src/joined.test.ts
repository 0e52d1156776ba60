import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hasJoined } from './joined.ts'

test('a home joined a mesh where its file holds a grant of its own; a file that is broken is for its reader to judge', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'qmt-joined-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const file = join(home, 'known_peers.json')
  assert.equal(await hasJoined(file), false)
  const said = async (text: string): Promise<boolean> => {
    await writeFile(file, text)
    return await hasJoined(file)
  }
  assert.equal(await said('{"version":1,"peers":{},"own":{}}'), false)
  assert.equal(await said('{"version":1,"own":{"12D3KooW":["a.b"]}}'), true)
  assert.equal(await said('{"version":1'), true)
})
