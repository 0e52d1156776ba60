import assert from 'node:assert/strict'
import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { newSessionId } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { openAttachedFile } from './attached-file.ts'

const peerId = '12D3KooWHostHostHostHostHostHostHostHostHostHostHost' as PeerId
const attached = (seq: number) => ({ node: 'gpu', peerId, sessionId: newSessionId(), title: 'x', seq, at: seq })

test('the latest 20 are kept, once each, for nobody else to read', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'qmt-attached-')), 'attached.json')
  const sessions = openAttachedFile({ file, notice: assert.fail })
  assert.deepEqual(await sessions.list(), [])
  const all = Array.from({ length: 22 }, (_, seq) => attached(seq))
  for (const one of all) await sessions.note(one)
  const again = { ...attached(99), sessionId: all[10]?.sessionId ?? newSessionId() }
  await sessions.note(again)
  const listed = await sessions.list()
  assert.equal(listed.length, 20)
  assert.deepEqual(listed.map(({ seq }) => seq).slice(0, 3), [99, 21, 20])
  assert.equal((await stat(file)).mode & 0o777, 0o600)
})

test('a file that is damaged is set aside with a word, and a new one begins', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'qmt-attached-')), 'attached.json')
  await writeFile(file, '{"version":1,"attached":[{"sess')
  const notices: string[] = []
  const sessions = openAttachedFile({ file, notice: (line) => notices.push(line) })
  const one = attached(1)
  await sessions.note(one)
  assert.deepEqual(await sessions.list(), [one])
  assert.match(notices.join(), /attached\.json\.damaged/)
  assert.match(await readFile(`${file}.damaged`, 'utf8'), /sess/)
})
