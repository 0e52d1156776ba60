import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, chown, link, mkdir, readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import test from 'node:test'
import { createToolKit } from './tool-kit.ts'
import type { ToolKit } from './tool-kit.ts'

const isRoot = process.getuid?.() === 0
const OTHER = 54_321

const WRITES: [tool: string, input: Record<string, unknown>][] = [
  ['edit', { path: 'a', old_string: 'old', new_string: 'new' }],
  ['write_file', { path: 'a', content: 'new\n' }],
]

interface Kept {
  title: string
  needsRoot?: boolean
  prepare(kit: ToolKit, path: string): Promise<void>
  check(kit: ToolKit, path: string, inode: number): Promise<void>
}

const FILES: Kept[] = [
  {
    title: 'a second hard link sees the new text',
    prepare: async (kit, path) => await link(path, join(kit.workspace.root, 'b')),
    check: async (kit, path, inode) => {
      assert.equal(await kit.read('b'), 'new\n')
      assert.equal((await stat(path)).ino, inode)
    },
  },
  {
    title: 'mode',
    prepare: async (_, path) => await chmod(path, 0o4751),
    check: async (_, path) => assert.equal((await stat(path)).mode & 0o7777, 0o4751),
  },
  {
    title: 'owner and group',
    needsRoot: true,
    prepare: async (_, path) => await chown(path, OTHER, OTHER + 1),
    check: async (_, path) => {
      const { uid, gid } = await stat(path)
      assert.deepEqual([uid, gid], [OTHER, OTHER + 1])
    },
  },
  {
    title: 'the group in a directory that gives another',
    needsRoot: true,
    prepare: async (kit) => {
      await chown(kit.workspace.root, 0, OTHER)
      await chmod(kit.workspace.root, 0o2775)
    },
    check: async (_, path) => assert.equal((await stat(path)).gid, 0),
  },
  {
    title: 'a symbolic link stays one',
    prepare: async (kit, path) => {
      await mkdir(join(kit.workspace.root, 'real'))
      await kit.write('real/a', 'old\n')
      execFileSync('rm', [path])
      await symlink('real/a', path)
    },
    check: async (kit) => assert.equal(await kit.read('real/a'), 'new\n'),
  },
]

for (const { title, needsRoot = false, prepare, check } of FILES) {
  for (const [tool, input] of WRITES) {
    const skip = needsRoot && !isRoot && 'only root may give files away'
    test(`files are changed as a careful person would: ${tool} keeps ${title}`, { skip }, async () => {
      await using kit = await createToolKit()
      const path = await kit.write('a', 'old\n')
      await prepare(kit, path)
      const { ino } = await stat(path)
      assert.equal((await kit.call(tool, input)).isError ?? false, false)
      assert.equal(await readFile(path, 'utf8'), 'new\n')
      await check(kit, path, ino)
    })
  }
}

const FORMS: [title: string, before: string | Buffer, content: string, after: string, note?: RegExp][] = [
  ['CRLF', 'a\r\nb\r\n', 'x\ny\n', 'x\r\ny\r\n', /CRLF line ends were kept/],
  ['a byte order mark', '\uFEFFa\n', 'x\n', '\uFEFFx\n'],
  ['both', '\uFEFFa\r\n', 'x\n', '\uFEFFx\r\n'],
  ['LF, and says where it did not', 'a\nb\n', 'x\r\n', 'x\r\n', /were LF and are CRLF now/],
  ['mixed line ends as the model wrote them', 'a\r\nb\n', 'x\n', 'x\n'],
  ['UTF-16 never in silence', Buffer.from('\uFEFFa\n', 'utf16le'), 'x\n', 'x\n', /was UTF-16/],
  ['Latin-1 never in silence', Buffer.from('\xfc\n', 'latin1'), 'x\n', 'x\n', /was not UTF-8/],
]
for (const [title, before, content, after, note] of FORMS) {
  test(`what the bytes of a text file were like, they are like afterwards: write_file keeps ${title}`, async () => {
    await using kit = await createToolKit()
    await kit.write('a', before)
    const { output } = await kit.call('write_file', { path: 'a', content })
    assert.equal(await kit.read('a'), after)
    if (note) assert.match(output, note)
  })
}
