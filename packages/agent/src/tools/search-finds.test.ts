import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { createToolKit } from './tool-kit.ts'
import type { ToolKit } from './tool-kit.ts'

async function createTree(env: Record<string, string | undefined> = process.env): Promise<ToolKit> {
  const kit = await createToolKit(env)
  await kit.write('src/deep/a.ts', 'const needle = 1\n')
  await kit.write('src/b.test.ts', 'needle in a test\n')
  await kit.write('docs/my notes.md', 'needle in notes\n')
  await kit.write('node_modules/x/i.js', 'module needle\n')
  await kit.write('.gitignore', 'node_modules/\n*.log\n')
  await kit.write('src/.gitignore', 'gen/\n/only-here\n')
  await kit.write('src/gen/g.ts', 'generated needle\n')
  await kit.write('src/deep/run.log', 'log needle\n')
  return kit
}

const GLOBS: [glob: string, path?: string][] = [
  ['*.ts'],
  ['**/*.ts'],
  ['src/**'],
  ['src'],
  ['src/'],
  ['./src/**/*.ts'],
  ['/src/**/*.ts'],
  ['deep/*.ts'],
  ['src/deep/*.ts', 'src'],
  ['deep/*.ts', 'src'],
  ['a.ts'],
  ['A.TS'],
  ['*.{ts,tsx}'],
  ['*.ts,*.tsx'],
  ['*.tsx *.ts'],
  ['.ts'],
  ['src\\deep\\*.ts'],
  ['**'],
  ['*'],
  ['!*.test.ts'],
  ['*.ts !*.test.ts'],
]
for (const [glob, path] of GLOBS) {
  test(`searches never say none of what is there: glob ${glob}${path === undefined ? '' : ` in ${path}`}`, async () => {
    await using kit = await createTree()
    const input = path === undefined ? { glob } : { glob, path }
    assert.match((await kit.call('list_files', input)).output, /^src\/deep\/a\.ts$/m)
    assert.match((await kit.call('search_text', { pattern: 'needle', ...input })).output, /^src\/deep\/a\.ts:1: const needle = 1$/m)
    assert.doesNotMatch((await kit.call('list_files', input)).output, /node_modules|gen\/|run\.log/)
  })
}

test('a glob takes the workspace by its own path', async () => {
  await using kit = await createTree()
  assert.equal((await kit.call('list_files', { glob: `${kit.workspace.root}/src/deep/*.ts` })).output, 'src/deep/a.ts')
})

const ABOVE: [title: string, prepare: (kit: ToolKit) => Promise<unknown>][] = [
  ['.gitignore', async (kit) => await writeFile(join(kit.base, '.gitignore'), '*\n')],
  ['.ignore', async (kit) => await writeFile(join(kit.base, '.ignore'), '*\n')],
  ['.rgignore', async (kit) => await writeFile(join(kit.base, '.rgignore'), '*\n')],
  [
    'a repository of dotfiles',
    async (kit) => {
      await mkdir(join(kit.base, '.git'))
      await writeFile(join(kit.base, '.gitignore'), '*\n')
    },
  ],
  [
    'the global excludes',
    async (kit) => {
      await mkdir(join(kit.base, 'config', 'git'), { recursive: true })
      await writeFile(join(kit.base, 'config', 'git', 'ignore'), '*\n')
    },
  ],
]
const REPOSITORIES: [title: string, prepare: (kit: ToolKit) => Promise<unknown>][] = [
  ['no repository', async () => {}],
  ['a repository', async (kit) => await mkdir(join(kit.workspace.root, '.git'))],
  ['a worktree', async (kit) => await kit.write('.git', 'gitdir: /elsewhere\n')],
]
for (const [above, addAbove] of ABOVE) {
  for (const [repository, addRepository] of REPOSITORIES) {
    test(`ignore files count from the workspace's repository down: ${above} above ${repository}`, async () => {
      await using kit = await createTree({ ...process.env, XDG_CONFIG_HOME: undefined, HOME: undefined })
      await addAbove(kit)
      await addRepository(kit)
      for (const path of ['.', 'src', 'src/deep']) {
        assert.match((await kit.call('list_files', { path })).output, /src\/deep\/a\.ts/, path)
        assert.match((await kit.call('search_text', { pattern: 'const needle', path })).output, /src\/deep\/a\.ts:1/, path)
      }
      assert.doesNotMatch((await kit.call('list_files', { path: '.' })).output, /node_modules|src\/gen/)
    })
  }
}

test('ignore files of the repository hold in its subdirectories', async () => {
  await using kit = await createTree()
  await mkdir(join(kit.workspace.root, '.git'))
  assert.equal((await kit.call('list_files', { path: 'src' })).output, 'src/.gitignore\nsrc/b.test.ts\nsrc/deep/a.ts')
  assert.equal((await kit.call('list_files', { path: 'src/deep' })).output, 'src/deep/a.ts')
})

test('what was named is listed, also where ignore rules leave it out', async () => {
  await using kit = await createTree()
  assert.match((await kit.call('list_files', { path: 'node_modules/x' })).output, /^node_modules\/x\/i\.js/)
  assert.match((await kit.call('search_text', { pattern: 'module needle', path: 'node_modules' })).output, /i\.js:1/)
  assert.match((await kit.call('search_text', { pattern: 'log needle', path: 'src/deep/run.log' })).output, /run\.log:1/)
})

test('an empty result says what was left out, and why', async () => {
  await using kit = await createTree()
  const ignored = await kit.call('search_text', { pattern: 'module needle' })
  assert.match(ignored.output, /^no matches in the \d files that were searched\n.*ignore rules.*: node_modules\/x\/i\.js$/s)
  assert.match((await kit.call('search_text', { pattern: 'NEEDLE' })).output, /in another case .*src\/deep\/a\.ts/)
  assert.match(
    (await kit.call('search_text', { pattern: 'const needle', glob: '*.py' })).output,
    /relative to the workspace[^]*src\/deep\/a\.ts/,
  )
  assert.match((await kit.call('list_files', { glob: '*.log' })).output, /ignore rules .* leave out 1 files.*run\.log/)
  await kit.write('big', `hugeneedle\n${'x'.repeat(11_000_000)}`)
  assert.match((await kit.call('search_text', { pattern: 'hugeneedle' })).output, /not searched, over 10 MB: big/)
})

test('every match in a long line is shown with what stands around it', async () => {
  await using kit = await createToolKit()
  await kit.write('min.js', `${'a'.repeat(50_000)} needle1 ${'ü'.repeat(50_000)} needle2 end\n`)
  const { output } = await kit.call('search_text', { pattern: 'needle' })
  assert.match(output, /^min\.js:1:50002: …a+ needle1 ü+…$/m)
  assert.match(output, /^min\.js:1:100011: …ü+ needle2 end$/m)
})

test('text that is not UTF-8, UTF-16, several lines and other dialects are found', async () => {
  await using kit = await createToolKit()
  await kit.write('latin1.txt', Buffer.from('gr\xfcn needle\n', 'latin1'))
  await kit.write('wide.txt', Buffer.from('\uFEFFwide needle\n', 'utf16le'))
  await kit.write('two.txt', 'first\nsecond\n')
  await kit.write('bin', Buffer.from([1, 0, ...Buffer.from('binneedle'), 0]))
  assert.match((await kit.call('search_text', { pattern: 'needle' })).output, /latin1\.txt:1: grün needle\n/)
  assert.match((await kit.call('search_text', { pattern: 'wide needle' })).output, /wide\.txt:1/)
  assert.match((await kit.call('search_text', { pattern: 'first\\nsecond' })).output, /two\.txt:1/)
  assert.match((await kit.call('search_text', { pattern: 'fir(?=st)' })).output, /two\.txt:1/)
  assert.match((await kit.call('search_text', { pattern: 'binneedle' })).output, /bin:/)
})

test('the bare words stand where nothing is there', async () => {
  await using kit = await createToolKit()
  assert.equal((await kit.call('list_files', {})).output, 'no files')
  await kit.write('a', 'b\n')
  assert.equal((await kit.call('search_text', { pattern: 'zzz' })).output, 'no matches')
})
