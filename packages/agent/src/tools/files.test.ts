import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { createToolKit } from './tool-kit.ts'

test('read_file gives lines with their numbers', async () => {
  await using kit = await createToolKit()
  await kit.write('a.txt', 'one\r\ntwo\n\nfour')
  assert.equal((await kit.call('read_file', { path: 'a.txt' })).output, '1\tone\n2\ttwo\n3\t\n4\tfour')
  assert.equal(
    (await kit.call('read_file', { path: 'a.txt', offset: 2, limit: 2 })).output,
    '2\ttwo\n3\t\n[lines 2–3 of 4; go on with offset 4]',
  )
  assert.equal((await kit.call('read_file', { path: 'a.txt', offset: 4 })).output, '4\tfour\n[lines 4–4 of 4]')
  assert.match((await kit.call('read_file', { path: 'a.txt', offset: 9 })).output, /has 4 lines; there is nothing from line 9/)
  await kit.write('empty', '')
  assert.equal((await kit.call('read_file', { path: 'empty' })).output, '[the file is empty]')
})

test('read_file bounds lines, characters and the length of one line', async () => {
  await using kit = await createToolKit()
  await kit.write('many', 'x\n'.repeat(5_000))
  assert.match((await kit.call('read_file', { path: 'many' })).output, /\n\[lines 1–2000 of 5000; go on with offset 2001\]$/)
  await kit.write('wide', `${'y'.repeat(1_000)}\n`.repeat(100))
  const wide = (await kit.call('read_file', { path: 'wide' })).output
  assert.ok(wide.length < 51_000)
  assert.match(wide, /\[lines 1–49 of 100, as many as fit; go on with offset 50\]$/)
  await kit.write('one-line', 'z'.repeat(20_000_000))
  const line = (await kit.call('read_file', { path: 'one-line' })).output
  assert.ok(line.length < 3_000)
  assert.match(line, /\[line cut\]/)
})

test('read_file refuses what is no text, with its size and type', async () => {
  await using kit = await createToolKit()
  await kit.write('p.png', Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(100)]))
  assert.deepEqual(await kit.call('read_file', { path: 'p.png' }), {
    output: 'p.png is a binary file: PNG image, 108 bytes. It is not shown.',
    isError: true,
  })
  await mkdir(join(kit.workspace.root, 'dir'))
  assert.match((await kit.call('read_file', { path: 'dir' })).output, /is a directory: use list_files/)
  await kit.call('shell', { command: 'mkfifo pipe' })
  assert.match((await kit.call('read_file', { path: 'pipe' })).output, /not a plain file/)
})

test('read_file names files near a wrong name', async () => {
  await using kit = await createToolKit()
  await kit.write('src/session-log.ts', '')
  const result = await kit.call('read_file', { path: 'src/sesion-log.ts' })
  assert.deepEqual(result, { output: 'src/sesion-log.ts does not exist; near it: session-log.ts', isError: true })
})

test('write_file makes directories, replaces in one step and keeps the mode', async () => {
  await using kit = await createToolKit()
  assert.equal((await kit.call('write_file', { path: 'deep/er/run.sh', content: 'echo 1\n' })).output, 'created deep/er/run.sh (1 lines)')
  const path = join(kit.workspace.root, 'deep/er/run.sh')
  await chmod(path, 0o755)
  assert.equal(
    (await kit.call('write_file', { path: 'deep/er/run.sh', content: 'echo 2\necho 3' })).output,
    'replaced deep/er/run.sh (2 lines)',
  )
  assert.equal(await kit.read('deep/er/run.sh'), 'echo 2\necho 3')
  assert.equal((await stat(path)).mode & 0o777, 0o755)
  assert.deepEqual(await readdir(join(kit.workspace.root, 'deep/er')), ['run.sh'])
  await assert.rejects(kit.call('write_file', { path: 'deep', content: '' }), /is a directory/)
})

test('edit changes the file and shows the change', async () => {
  await using kit = await createToolKit()
  await kit.write('a.ts', 'const a = 1\nconst b = 2\n')
  const { output } = await kit.call('edit', { path: 'a.ts', old_string: 'b = 2', new_string: 'b = 3' })
  assert.match(output, /^edited a\.ts\n--- a\.ts\n\+\+\+ a\.ts\n@@ -1,2 \+1,2 @@\n const a = 1\n-const b = 2\n\+const b = 3\n/)
  assert.equal(await kit.read('a.ts'), 'const a = 1\nconst b = 3\n')
})

test('edit leaves alone what it would harm', async () => {
  await using kit = await createToolKit()
  const latin = Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a])
  await kit.write('latin1', latin)
  await assert.rejects(kit.call('edit', { path: 'latin1', old_string: 'caf', new_string: 'x' }), /not UTF-8/)
  await assert.rejects(kit.call('edit', { path: 'none', old_string: 'a', new_string: 'b' }), /none does not exist/)
  await kit.write('bom', '\u{FEFF}a\n')
  await kit.call('edit', { path: 'bom', old_string: 'a', new_string: 'b' })
  assert.equal(await kit.read('bom'), '\u{FEFF}b\n')
})
