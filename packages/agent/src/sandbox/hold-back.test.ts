import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readlink, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { OBEYED_NAMES } from '../permissions/obeyed-names.ts'
import { obeyedName } from '../permissions/obeyed-files.ts'
import { createToolKit } from '../tools/tool-kit.ts'
import type { ToolKit } from '../tools/tool-kit.ts'
import { createSandbox } from './sandbox.ts'

async function createGuest(prepare: (kit: ToolKit) => Promise<unknown> = async () => undefined): Promise<ToolKit> {
  const kit = await createToolKit({ ...process.env, HOME: '/' })
  await prepare(kit)
  const env = { ...process.env, PATH: `${join(kit.workspace.root, 'programs')}:${process.env['PATH']}` }
  const sandbox = createSandbox({ env }, { closed: [] })
  Object.assign(kit.workspace, { confinement: await sandbox.confine({ ...kit.workspace, forGuest: true }) })
  return kit
}
async function whyNone(): Promise<string | false> {
  await using kit = await createGuest()
  const { confinement } = kit.workspace
  return confinement.kind === 'none' && confinement.why
}
const skip = await whyNone()

/** Every path below the workspace. */
async function pathsOf(kit: ToolKit): Promise<string[]> {
  return await readdir(kit.workspace.root, { recursive: true })
}

const sample = (name: string): string => name.replaceAll('*', 'x').replace('.yxml', '.yaml')
const SAMPLES = OBEYED_NAMES.flatMap(({ names }) => names.split(' ').map(sample))

test(
  'what a guest’s command leaves for other programs to run or obey is held back, at any depth: every listed name',
  { skip },
  async () => {
    await using kit = await createGuest()
    const files = SAMPLES.map((name, at) => `${at}/deep/${name}`)
    const command = files.map((file) => `mkdir -p "$(dirname ${file})" && echo x > ${file}`).join('\n')
    const { output } = await kit.call('shell', { command })
    const left = (await pathsOf(kit)).filter((path) => obeyedName(path))
    assert.deepEqual(left, [])
    assert.match(output, /\/deep\/\.\w+ is held back as \d+\/deep\/held-back-\.\w+\.held, since [\w ]+ runs what is written there/)
    assert.match(output, /\d+ more files are held back in the same way/)
  },
)

test('what was there for other programs to run or obey is not changed by a guest’s command: every listed name', { skip }, async () => {
  const files = SAMPLES.map((name, at) => `${at}/${name}`)
  await using kit = await createGuest(async ({ write }) => {
    for (const file of files) await write(file, 'as it was')
  })
  const tries = files.flatMap((file) => [`echo x > ${file}`, `rm -rf ${file}`, `mv ${file} ${file}.x`, `ln -sf /x ${file}`])
  await kit.call('shell', { command: tries.join('\n') })
  for (const file of files) assert.equal(await kit.read(file), 'as it was', file)
})

interface Case {
  prepare?: (kit: ToolKit) => Promise<unknown>
  command: string
  /** Must not be there afterwards. */
  gone: string
}
const CASES: Record<string, Case> = {
  'a link': { command: 'echo x > code; ln -s code .envrc', gone: '.envrc' },
  'a repository under another name': { command: 'mkdir -p r/objects r/refs && echo x > r/HEAD', gone: 'r/HEAD' },
  'what makes a directory a repository': {
    prepare: async ({ workspace, write }) => {
      await mkdir(join(workspace.root, 'r/objects'), { recursive: true })
      await write('r/refs/x', '')
    },
    command: 'echo x > r/HEAD',
    gone: 'r/HEAD',
  },
  'what the settings of git name': {
    prepare: async ({ write }) => await write('.git/config', '[core]\n\thooksPath = tools/hooks\n'),
    command: 'mkdir -p tools/hooks && echo x > tools/hooks/post-checkout',
    gone: 'tools/hooks',
  },
  'what the settings of a repository further down name': {
    prepare: async ({ write }) => await write('sub/.git/config', '[core]\n\thooksPath = tools/hooks\n'),
    command: 'mkdir -p sub/tools/hooks && echo x > sub/tools/hooks/post-checkout',
    gone: 'sub/tools/hooks',
  },
  'another file under a known name': {
    prepare: async ({ write }) => await write('sub/.envrc', 'as it was'),
    command: 'mv sub old && mkdir sub && echo x > sub/.envrc',
    gone: 'sub/.envrc',
  },
  'what a link that led nowhere leads to': {
    prepare: async ({ workspace }) => await symlink('later', join(workspace.root, '.envrc')),
    command: 'echo x > later',
    gone: '.envrc',
  },
  'another file for a link': {
    prepare: async ({ workspace, write }) => {
      await write('conf/envrc', 'as it was')
      await symlink('conf/envrc', join(workspace.root, '.envrc'))
    },
    command: 'mv conf old && mkdir conf && echo x > conf/envrc',
    gone: '.envrc',
  },
  'a program, where PATH names a directory of the workspace': { command: 'mkdir programs && echo x > programs/git', gone: 'programs' },
  'a program in a virtual environment that PATH names': {
    prepare: async ({ workspace }) => await symlink('.venv/bin', join(workspace.root, 'programs')),
    command: 'mkdir -p .venv/bin && echo x > .venv/bin/git',
    gone: '.venv/bin',
  },
  'a file in a directory that cannot be listed': { command: 'mkdir d && echo x > d/.envrc && chmod 311 d', gone: 'd/.envrc' },
  'a file in a directory that cannot be written': { command: 'mkdir d && echo x > d/.envrc && chmod 555 d', gone: 'd/.envrc' },
  'a name as long as names may be': { command: `echo x > .env.${'x'.repeat(245)}`, gone: `.env.${'x'.repeat(245)}` },
  'a name that is taken for the held one': { command: 'echo x > .envrc; echo x > held-back-.envrc.held', gone: '.envrc' },
  'a file of a command that fails': { command: 'echo x > .envrc; exit 1', gone: '.envrc' },
  'a file of a command that is killed': { command: 'echo x > .envrc; kill -9 $$', gone: '.envrc' },
}
for (const [what, { prepare, command, gone }] of Object.entries(CASES)) {
  test(`what a guest's command leaves for other programs to run or obey is held back: ${what}`, { skip }, async () => {
    await using kit = await createGuest(prepare)
    const { output } = await kit.call('shell', { command })
    await chmod(join(kit.workspace.root, 'd'), 0o755).catch(() => undefined)
    assert.equal((await pathsOf(kit)).includes(gone), false, output)
    assert.match(output, /is held back as .*, since [\w. ]+ (?:runs|obeys) what is written there\]/)
  })
}

test('programs that are there, where PATH names a directory of the workspace, are not changed by a guest’s command', { skip }, async () => {
  await using kit = await createGuest(async ({ write }) => await write('programs/git', 'as it was'))
  const { isError } = await kit.call('shell', { command: 'echo x > programs/git || echo x > programs/new || mv programs others' })
  assert.equal(isError, true)
  assert.equal(await kit.read('programs/git'), 'as it was')
})

test('a link that is held back keeps what it leads to', { skip }, async () => {
  await using kit = await createGuest()
  await kit.call('shell', { command: 'echo x > code; ln -s code .envrc' })
  assert.equal(await readlink(join(kit.workspace.root, 'held-back-.envrc.held')), 'code')
  assert.equal(await kit.read('code'), 'x\n')
})

test('commands of guests in one workspace run one after the other, also where one lies in the other', { skip }, async () => {
  await using kit = await createGuest()
  const { workspace } = kit
  const sandbox = createSandbox({ env: process.env }, { closed: [] })
  await mkdir(join(workspace.root, 'sub'))
  const within = await sandbox.confine({ ...workspace, root: join(workspace.root, 'sub'), forGuest: true })
  Object.assign(workspace, { confinement: await sandbox.confine({ ...workspace, forGuest: true }) })
  const first = kit.call('shell', { command: 'echo 1 > begun; until test -e go; do sleep 0.01; done; echo 1 > ended' })
  const deadline = performance.now() + 10_000
  while (!(await stat(join(workspace.root, 'begun')).catch(() => undefined))) assert.ok(performance.now() < deadline)
  const others = [workspace.confinement, within].map(async (confinement) => {
    if (confinement.kind !== 'sandbox') return
    const { settle } = await confinement.wrap({ file: '/bin/true', args: [], env: {} })
    assert.equal((await pathsOf(kit)).includes('ended'), true)
    await settle?.()
  })
  const cancelled = kit.call('shell', { command: 'true' }, { signal: AbortSignal.abort(new Error('cancelled')) })
  await assert.rejects(cancelled, /cancelled/)
  await kit.write('go', '')
  await Promise.all([first, ...others])
})

test('where it cannot be held, no command of a guest runs', { skip }, async () => {
  const bare = async ({ write }: ToolKit) => {
    for (const file of ['HEAD', 'objects/x', 'refs/x']) await write(file, '')
  }
  await using kit = await createGuest(bare)
  const { confinement } = kit.workspace
  assert.match(confinement.kind === 'none' ? confinement.why : '', /inside a repository of git/)
})
