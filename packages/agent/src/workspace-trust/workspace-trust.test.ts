import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFile, chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import { OBEYED_NAMES } from '../permissions/obeyed-names.ts'
import { createWorkspaceTrust } from './workspace-trust.ts'
import type { BroughtState, WorkspaceTrust } from './types.ts'

interface Kit extends AsyncDisposable {
  root: string
  trust: WorkspaceTrust
  write(path: string, text?: string): Promise<void>
  states(): Promise<Record<string, BroughtState>>
  decide(decision: 'trust' | 'decline'): Promise<void>
  /** The same home, by another process. */
  again(): WorkspaceTrust
}

async function createKit(): Promise<Kit> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'qmt-brought-')))
  const [home, root] = [join(base, 'home'), join(base, 'home', 'project')]
  const qmtHome = join(home, '.qmt')
  await mkdir(root, { recursive: true })
  await mkdir(qmtHome)
  const again = () => createWorkspaceTrust({ home, qmtHome })
  const trust = again()
  const look = async () => await trust.look(root)
  return {
    root,
    trust,
    again,
    write: async (path, text = 'as it was\n') => {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), text)
    },
    states: async () => Object.fromEntries((await look()).files.map(({ path, state }) => [path, state])),
    decide: async (decision) => await trust.decide(root, (await look()).files, decision),
    [Symbol.asyncDispose]: async () => await rm(base, { recursive: true, force: true }),
  }
}

const sample = (name: string): string => name.replaceAll('*', 'x').replace('.yxml', '.yaml')
/** What version control keeps changes all the time: what of it counts has rows of its own. */
const KEPT = new Set(['.git', '.hg', '.jj', '.svn', '.bzr', '.sl', '_darcs', '.pijul'])

for (const { by, runs, names } of OBEYED_NAMES.filter((row) => row.runs || row.by === 'an agent')) {
  test(`a cloned repository is a guest: what it brings is asked about, by content: ${by}, ${names}`, async () => {
    await using kit = await createKit()
    const files = names.split(' ').map(sample).filter((name) => !KEPT.has(name)) // prettier-ignore
    for (const [at, name] of files.entries()) await kit.write(`${at}/${name}`)
    const expect = async (state: BroughtState) => {
      const found = await kit.states()
      for (const [at, name] of files.entries()) assert.equal(found[`${at}/${name}`], state, name)
    }
    await expect('new')
    await kit.decide('decline')
    await expect('declined')
    await kit.decide('trust')
    await expect('trusted')
    for (const [at, name] of files.entries()) await kit.write(`${at}/${name}`, 'something else')
    await expect('changed')
    const { files: looked } = await kit.trust.look(kit.root)
    for (const file of looked) assert.equal(file.runs, runs, file.path)
  })
}

interface Row {
  path: string
  prepare?(kit: Kit): Promise<unknown>
  change(kit: Kit): Promise<unknown>
}
const git = (kit: Kit, ...args: string[]) => execFileSync('git', ['-C', kit.root, ...args], { env: { PATH: process.env['PATH'] } })

/** What a look finds by more than a name. `change`: something runs, or other words are obeyed, than before. */
const ROWS: Record<string, Row> = {
  'a hook of git': {
    path: '.git',
    prepare: async (kit) => git(kit, 'init', '-q'),
    change: async (kit) => await kit.write('.git/hooks/post-checkout', 'x'),
  },
  'a command in the settings of git': {
    path: '.git',
    prepare: async (kit) => git(kit, 'init', '-q'),
    change: async (kit) => git(kit, 'config', 'core.fsmonitor', 'x'),
  },
  'an alias of git': {
    path: '.git',
    prepare: async (kit) => git(kit, 'init', '-q'),
    change: async (kit) => git(kit, 'config', 'alias.status', '!x'),
  },
  'hooks that the settings of git name': {
    path: 'tools/hooks',
    prepare: async (kit) => [git(kit, 'init', '-q'), git(kit, 'config', 'core.hooksPath', 'tools/hooks')],
    change: async (kit) => await kit.write('tools/hooks/post-checkout', 'x'),
  },
  'a repository under another name': {
    path: 'assets',
    prepare: async (kit) => {
      for (const file of ['HEAD', 'objects/x', 'refs/x']) await kit.write(`assets/${file}`)
    },
    change: async (kit) => await kit.write('assets/config', '[core]\n\tfsmonitor = x\n'),
  },
  'hooks of Mercurial': { path: '.hg', change: async (kit) => await kit.write('.hg/hgrc', '[hooks]\nupdate = x\n') },
  'settings of Jujutsu': { path: '.jj', change: async (kit) => await kit.write('.jj/repo/config.toml', 'x') },
  'settings of Darcs': { path: '_darcs', change: async (kit) => await kit.write('_darcs/prefs/defaults', 'ALL posthook x') },
  'a file deep in a listed directory': {
    path: '.claude',
    prepare: async (kit) => await kit.write('.claude/hooks/one/run.sh'),
    change: async (kit) => await kit.write('.claude/hooks/one/run.sh', 'x'),
  },
  'a file that becomes a program': {
    path: '.claude',
    prepare: async (kit) => await kit.write('.claude/run.sh'),
    change: async (kit) => await chmod(join(kit.root, '.claude/run.sh'), 0o755),
  },
  'what a link leads to': {
    path: '.envrc',
    prepare: async (kit) => [await kit.write('code'), await symlink('code', join(kit.root, '.envrc'))],
    change: async (kit) => await kit.write('code', 'x'),
  },
  'what a link in a listed directory leads to': {
    path: '.vscode',
    prepare: async (kit) => {
      await kit.write('conf/tasks.json')
      await symlink('conf', join(kit.root, '.vscode'))
    },
    change: async (kit) => await kit.write('conf/tasks.json', 'x'),
  },
  'words to agents in .github': {
    path: '.github/copilot-instructions.md',
    change: async (kit) => await kit.write('.github/copilot-instructions.md'),
  },
  'a large file': {
    path: '.envrc',
    prepare: async (kit) => await kit.write('.envrc', 'x'.repeat(40_000_000)),
    change: async (kit) => await appendFile(join(kit.root, '.envrc'), 'y'),
  },
  'a name with other letters': { path: 'Agents.MD', change: async (kit) => await kit.write('Agents.MD', 'x') },
  'words above the workspace': { path: '../CLAUDE.md', change: async (kit) => await kit.write('../CLAUDE.md', 'x') },
  'a repository around the workspace': {
    path: '../.git',
    change: async (kit) => await kit.write('../.git/hooks/post-checkout', 'x'),
  },
}

for (const [what, { path, prepare, change }] of Object.entries(ROWS)) {
  test(`a cloned repository is a guest: ${what} is asked about, and asked again when it is another`, async () => {
    const kit = await createKit()
    await using _ = kit
    // Where a row speaks of what lies above, the workspace is a directory further down.
    const isAbove = path.startsWith('../')
    const at = isAbove ? { ...kit, root: join(kit.root, 'sub') } : kit
    await mkdir(at.root, { recursive: true })
    const states = async () => Object.fromEntries((await kit.trust.look(at.root)).files.map((file) => [file.path, file.state]))
    const inRow = isAbove ? { ...kit, write: async (file: string, text?: string) => await kit.write(file.replace('../', ''), text) } : kit
    await prepare?.(inRow)
    await kit.trust.decide(at.root, (await kit.trust.look(at.root)).files, 'trust')
    for (const state of Object.values(await states())) assert.equal(state, 'trusted')
    await change(inRow)
    assert.notEqual((await states())[path] ?? 'absent', 'trusted')
    assert.notEqual((await states())[path], undefined)
    await assert.rejects(kit.trust.assertTrusted(at.root), (error) => isAppError(error, 'forbidden'))
    await kit.trust.decide(at.root, (await kit.trust.look(at.root)).files, 'trust')
    await kit.again().assertTrusted(at.root)
  })
}

test('what runs nothing is not asked about', async () => {
  await using kit = await createKit()
  git(kit, 'init', '-q')
  git(kit, 'config', 'user.name', 'x')
  for (const file of 'package.json Makefile src/index.ts .gitignore .env .nvmrc .github/workflows/ci.yml .aider.chat.history.md'.split(
    ' ',
  )) {
    await kit.write(file)
  }
  await kit.write('node_modules/x/.envrc')
  await kit.write('.git/refs/heads/main')
  assert.deepEqual(await kit.states(), {})
  await kit.trust.assertTrusted(kit.root)
})

test('work of version control and editors changes nothing that was decided', async () => {
  await using kit = await createKit()
  git(kit, 'init', '-q')
  git(kit, 'config', 'core.editor', 'x')
  for (const file of ['.hg/hgrc', '.idea/modules.xml', '.claude/settings.json']) await kit.write(file)
  await kit.decide('trust')
  for (const file of ['.git/index', '.hg/dirstate', '.idea/workspace.xml', '.claude/worktrees/a/x']) await kit.write(file, 'new')
  await kit.trust.assertTrusted(kit.root)
})

test('what a link leads to elsewhere is not brought, and not read: a device, or a file that never ends', async () => {
  await using kit = await createKit()
  await mkdir(join(kit.root, '.claude'))
  for (const [name, target] of Object.entries({ zero: '/dev/zero', log: '/proc/kmsg', home: '../../x' })) {
    await symlink(target, join(kit.root, '.claude', name))
  }
  await symlink('/dev/random', join(kit.root, '.envrc'))
  await kit.decide('trust')
  await kit.write('../x', 'another')
  await kit.trust.assertTrusted(kit.root)
})

test('a workspace that holds the home directory is the person’s own', async () => {
  await using kit = await createKit()
  await kit.write('../.claude/settings.json')
  const home = dirname(kit.root)
  assert.deepEqual((await kit.trust.look(home)).files, [])
  assert.equal(await kit.trust.isTrusted(home, 'AGENTS.md'), true)
})

test('what was seen is trusted, not what is there by then; one workspace’s trust is no other’s', async () => {
  await using kit = await createKit()
  await kit.write('AGENTS.md', 'seen')
  const { files } = await kit.trust.look(kit.root)
  await kit.write('AGENTS.md', 'swapped')
  await kit.trust.decide(kit.root, files, 'trust')
  assert.equal(await kit.trust.isTrusted(kit.root, 'AGENTS.md'), false)
  await kit.write('AGENTS.md', 'seen')
  assert.equal(await kit.trust.isTrusted(kit.root, 'AGENTS.md'), true)
  await kit.write('other/AGENTS.md', 'seen')
  assert.equal(await kit.trust.isTrusted(join(kit.root, 'other'), 'AGENTS.md'), false)
})

test('what the person’s own turn writes is trusted as it was before, or as a new file', async () => {
  await using kit = await createKit()
  const writes = async (path: string, text: string) => {
    const written = await kit.trust.writing(kit.root, { shown: path, place: 'workspace' })
    await kit.write(path, text)
    await written()
  }
  await writes('AGENTS.md', 'by a turn')
  await writes('.claude/settings.json', 'by a turn')
  assert.deepEqual(await kit.states(), { 'AGENTS.md': 'trusted', '.claude': 'trusted' })
  await kit.write('.claude/hooks/x', 'from outside')
  await writes('.claude/settings.json', 'by a turn again')
  assert.equal((await kit.states())['.claude'], 'changed')
  await kit.write('CLAUDE.md', 'from outside')
  await writes('CLAUDE.md', 'by a turn')
  assert.equal((await kit.states())['CLAUDE.md'], 'new')
})

test('a damaged file of what was trusted trusts nothing, and says what to do', async () => {
  await using kit = await createKit()
  await kit.write('../.qmt/trusted_workspaces.json', '{')
  await kit.write('AGENTS.md')
  await assert.rejects(
    kit.trust.isTrusted(kit.root, 'AGENTS.md'),
    (error) => isAppError(error, 'bad_config') && /rm /.test(error.hint ?? ''),
  )
})
