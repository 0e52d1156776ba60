import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createTurnScript } from '@qmtcode/testing'
import { BOB } from './peers/peers-kit.ts'
import { startSessions } from './sessions-kit.ts'

test('a rule is about what happens: no file that may not be read comes with a prompt that names it, nor through a link', async () => {
  const rules = [{ tool: 'read_file', match: 'closed/**', action: 'deny' as const }]
  await using kit = await startSessions(createTurnScript().runTurn, { peerId: BOB, permissions: { rules } })
  await mkdir(join(kit.workspace, 'closed'))
  await writeFile(join(kit.workspace, 'closed/a.txt'), 'KEY=1')
  await writeFile(join(kit.workspace, 'b.txt'), 'text')
  await symlink('closed/a.txt', join(kit.workspace, 'link'))
  const own = kit.sessions.as({ peerId: BOB, node: 'host', user: 'root' })
  const { id } = await own.create({})
  for (const path of ['closed/a.txt', 'link', './closed/../closed/a.txt', 'closed/none']) {
    await assert.rejects(own.readFile(id, path), { code: 'forbidden' }, path)
  }
  assert.deepEqual(
    (await own.listFiles(id, { match: 'txt' })).items.map(({ path }) => path),
    ['b.txt'],
  )
  assert.equal((await own.readFile(id, 'b.txt')).mediaType, 'text/plain')
})
