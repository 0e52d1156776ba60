import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { replaceFile } from './replace-file.ts'

test('a file is replaced in one step, mode 0600, and the old one kept where asked; a failure leaves all as it was', async () => {
  const home = await mkdtemp(join(tmpdir(), 'qmt-replace-'))
  const file = join(home, 'key')
  await replaceFile(file, 'one')
  await writeFile(file, 'one', { mode: 0o644 })
  await replaceFile(file, 'two', { backup: `${file}.bak` })
  assert.deepEqual([await readFile(file, 'utf8'), await readFile(`${file}.bak`, 'utf8')], ['two', 'one'])
  for (const name of ['key', 'key.bak']) assert.equal((await stat(join(home, name))).mode & 0o777, 0o600)
  await mkdir(join(home, 'directory'))
  await assert.rejects(replaceFile(join(home, 'directory'), 'three'))
  await assert.rejects(replaceFile(file, 'three', { backup: join(home, 'nowhere', 'key') }))
  assert.deepEqual((await readdir(home)).toSorted(), ['directory', 'key', 'key.bak'])
  assert.equal(await readFile(file, 'utf8'), 'two')
})
