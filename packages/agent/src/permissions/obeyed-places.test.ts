import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { openWorkspace } from '../tools/workspace.ts'
import { createPermissions } from './permissions.ts'

/** A workspace with these files: `name -> target` is a link, `name/` a directory, `~/name` in the home. */
async function startPlace(files: Record<string, string>) {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'qmt-obeyed-')))
  const [root, home] = [join(base, 'work'), join(base, 'person')]
  await mkdir(root)
  for (const [name, text] of Object.entries(files)) {
    const [at = '', target] = name.split(' -> ')
    const file = at.startsWith('~/') ? join(home, at.slice(2)) : join(root, at)
    await mkdir(at.endsWith('/') ? file : dirname(file), { recursive: true })
    if (target !== undefined) await symlink(target, file)
    else if (!at.endsWith('/')) await writeFile(file, text)
  }
  const qmtHome = join(base, 'qmt')
  const path = `/usr/bin:${join(root, 'my-programs')}`
  const workspace = await openWorkspace(root, { qmtHome, outputDir: join(qmtHome, 'output'), home, path })
  const session = createPermissions().forSession({ allow: ['edit'], granted: [] })
  return {
    root,
    /** What a writer of `file` is asked for. */
    reason: async (file: string): Promise<string> =>
      session.decide({ tool: 'write_file', permission: 'edit', path: await workspace.resolve(file) }).reason,
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  }
}

const repository = (name: string) => ({ [`${name}/HEAD`]: 'ref: refs/heads/main\n', [`${name}/objects/`]: '', [`${name}/refs/`]: '' })
const settings = (text: string) => ({ ...repository('.git'), '.git/config': text })

const CASES: Record<string, [files: Record<string, string>, by: string, asked: string[]]> = {
  'a repository of any name': [repository('lib/data'), 'git', ['lib/data/config', 'lib/data/hooks/post-checkout']],
  'the file that completes one: HEAD': [{ 'x/objects/': '', 'x/refs/': '' }, 'git', ['x/HEAD', 'x/head', 'x/HEAD/y']],
  'the file that completes one: refs': [{ 'x/HEAD': '', 'x/objects/': '' }, 'git', ['x/refs/heads/main']],
  'the file that completes one: commondir': [{ 'x/HEAD': '' }, 'git', ['x/commondir']],
  'what a file .git leads to': [{ '.git': 'gitdir: ./store\n', 'store/HEAD': '' }, 'git', ['store/config', 'store/hooks/x']],
  'a directory of hooks that is not there yet': [settings('[core]\n  hooksPath = tools/git'), 'git', ['tools/git/pre-commit']],
  'a directory of hooks, in one line': [settings('[core] hookspath = "tools/my git"'), 'git', ['tools/my git/pre-commit']],
  'settings that are included': [settings('[include]\n\tpath = ../shared/gitsettings'), 'git', ['shared/gitsettings']],
  'a filter': [settings('[filter "x"]\n clean = sh ./tools/clean.sh %f'), 'git', ['tools/clean.sh']],
  'a watcher without a path': [{ ...settings('[core]\nfsmonitor = watch.sh'), 'watch.sh': '' }, 'git', ['watch.sh']],
  'an alias': [settings('[alias]\n st = "!sh scripts/st.sh"'), 'git', ['scripts/st.sh']],
  'hooks of the person’s own settings': [{ '~/.gitconfig': '[core]\nhooksPath = checks' }, 'git', ['checks/pre-push']],
  'where a listed link leads': [{ '.vscode -> conf': '', 'conf/a': '' }, 'VS Code', ['conf/tasks.json', '.vscode/tasks.json']],
  'where a dangling link will lead': [{ '.envrc -> later': '' }, 'direnv', ['later', '.envrc']],
  'a link of any name that leads to it': [{ 'notes -> .idea': '', '.idea/a': '' }, 'an editor', ['notes/workspace.xml']],
  'a directory of programs': [{ 'my-programs/': '' }, 'a shell', ['my-programs/ls']],
}

for (const [what, [files, by, asked]] of Object.entries(CASES)) {
  test(`what other programs run or obey is found by a look at the disk: ${what}`, async () => {
    await using place = await startPlace(files)
    for (const file of asked) assert.equal(await place.reason(file), `${by} runs what is written there`, file)
  })
}

test('other files are edited as before', async () => {
  const git =
    '[core]\n bare = false\n[remote "origin"]\n url = ../origin\n fetch = +refs/heads/*\n[branch "main"]\n merge = refs/heads/main'
  await using place = await startPlace({ ...settings(git), 'origin/a': '', 'x/HEAD': '', 'docs/refs/a': '', 'docs/objects/a': '' })
  for (const file of ['a', 'x/HEAD', 'x/config', 'docs/refs/b', 'docs/config', 'origin/a', 'refs/heads/main', 'src/hooks/use.ts']) {
    assert.equal(await place.reason(file), 'allowed', file)
  }
})

/** Whether git, run there as anybody runs it, takes the directory for a repository. */
const isRepository = async (directory: string): Promise<boolean> =>
  await new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], GIT_CEILING_DIRECTORIES: dirname(directory), HOME: '/' }
    execFile('git', ['rev-parse', '--git-dir'], { cwd: directory, env }, (error) => resolve(!error))
  })

test('property: no last file makes a repository for git without being asked for', async () => {
  const parts: Record<string, string> = { HEAD: 'ref: refs/heads/main\n', 'objects/a': '', 'refs/a': '', commondir: '../other\n' }
  const names = Object.keys(parts)
  let made = 0
  for (let subset = 0; subset < 2 ** names.length; subset += 1) {
    const there = names.filter((_, at) => (subset & (2 ** at)) !== 0)
    for (const last of there) {
      const before = Object.fromEntries(there.filter((name) => name !== last).map((name) => [`x/${name}`, parts[name] ?? '']))
      await using place = await startPlace({ ...repository('other'), 'x/': '', ...before })
      const reason = await place.reason(`x/${last}`)
      await mkdir(dirname(join(place.root, 'x', last)), { recursive: true })
      await writeFile(join(place.root, 'x', last), parts[last] ?? '')
      if (!(await isRepository(join(place.root, 'x')))) continue
      made += 1
      assert.equal(reason, 'git runs what is written there', `${last} after ${Object.keys(before).join(', ')}`)
    }
  }
  assert.ok(made > 5)
})
