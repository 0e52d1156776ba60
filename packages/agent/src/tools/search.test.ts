import assert from 'node:assert/strict'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import { createToolKit } from './tool-kit.ts'
import type { ToolKit } from './tool-kit.ts'

async function createTree(): Promise<ToolKit> {
  const kit = await createToolKit()
  await kit.write('.gitignore', 'dist/\n')
  await kit.write('.git/config', 'needle in git\n')
  await kit.write('.hidden', 'needle hidden\n')
  await kit.write('dist/out.js', 'needle in dist\n')
  await kit.write('src/a.ts', 'one\nconst needle = f(1)\n')
  await kit.write('src/b.md', 'Needle (text)\n')
  await writeFile(join(kit.base, 'home', 'token'), 'needle secret\n')
  await symlink(join(kit.base, 'home'), join(kit.workspace.root, 'link'))
  return kit
}

test('search_text finds by expression, in order, without what git ignores', async () => {
  await using kit = await createTree()
  assert.equal((await kit.call('search_text', { pattern: 'needle' })).output, '.hidden:1: needle hidden\nsrc/a.ts:2: const needle = f(1)')
  assert.equal((await kit.call('search_text', { pattern: 'need.e', ignore_case: true, glob: '*.md' })).output, 'src/b.md:1: Needle (text)')
  assert.equal((await kit.call('search_text', { pattern: 'f(1)', literal: true, path: 'src' })).output, 'src/a.ts:2: const needle = f(1)')
  assert.equal((await kit.call('search_text', { pattern: '-needle' })).output, 'no matches')
  assert.equal((await kit.call('search_text', { pattern: 'needle in git', glob: '**' })).output, 'no matches')
})

test('search_text tells what is wrong with a pattern or path', async () => {
  await using kit = await createTree()
  const bad = await kit.call('search_text', { pattern: 'f(' })
  assert.equal(bad.isError, true)
  assert.match(bad.output, /regex parse error/)
  assert.equal((await kit.call('search_text', { pattern: 'x', path: 'none' })).isError, true)
})

test('search and list never show files of QMT_HOME, asked for or met on the way', async () => {
  await using kit = await createTree()
  for (const path of ['link', kit.base, join(kit.base, 'home'), '..']) {
    const found = await kit.call('search_text', { pattern: 'needle secret', path })
    assert.equal(found.output, 'no matches', path)
    const listed = await kit.call('list_files', { path })
    assert.doesNotMatch(listed.output, /token/, path)
  }
})

test('search_text bounds what it finds', async () => {
  await using kit = await createToolKit()
  await kit.write('long', `needle ${'x'.repeat(1_000_000)}\n`)
  for (let file = 0; file < 4; file += 1) await kit.write(`many${file}`, `needle ${'y'.repeat(200)}\n`.repeat(300))
  const { output } = await kit.call('search_text', { pattern: 'needle' })
  assert.ok(output.length < 52_000)
  assert.match(output, /^long:1:1: needle x+…\n/)
  assert.match(output, /more than 500 matches: narrow/)
  assert.match(output, /the whole output is in /)
})

test('a search ends with its turn', async () => {
  await using kit = await createTree()
  await assert.rejects(kit.call('search_text', { pattern: 'x', path: '/usr' }, { signal: AbortSignal.abort() }), (error) =>
    isAppError(error, 'cancelled'),
  )
})

test('list_files lists, narrows and says what is no directory', async () => {
  await using kit = await createTree()
  assert.equal((await kit.call('list_files', {})).output, '.gitignore\n.hidden\nsrc/a.ts\nsrc/b.md')
  assert.equal((await kit.call('list_files', { path: 'src', glob: '*.ts' })).output, 'src/a.ts')
  assert.match(
    (await kit.call('list_files', { path: 'src', glob: '*.py' })).output,
    /^no files to list\nnone of the 2 files below src matches/,
  )
  assert.match((await kit.call('list_files', { path: 'src/a.ts' })).output, /is not a directory/)
})
