import assert from 'node:assert/strict'
import { mkdir, open, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import { createToolKit } from './tool-kit.ts'
import { openWorkspace } from './workspace.ts'

test('tells where a path really lies', async () => {
  await using kit = await createToolKit()
  await mkdir(join(kit.base, 'other'))
  await writeFile(join(kit.base, 'other', 'secret'), 'x')
  await kit.write('src/a.ts', '')
  await symlink('src', join(kit.workspace.root, 'inside'))
  await symlink(join(kit.base, 'other'), join(kit.workspace.root, 'out'))
  await symlink(join(kit.base, 'home'), join(kit.workspace.root, 'home'))
  await symlink(join(kit.base, 'other', 'not-yet'), join(kit.workspace.root, 'dangling'))
  await symlink('loop', join(kit.workspace.root, 'loop'))
  const cases: [path: string, place: string, shown: string][] = [
    ['src/a.ts', 'workspace', 'src/a.ts'],
    ['./src/../src/a.ts', 'workspace', 'src/a.ts'],
    ['.', 'workspace', '.'],
    ['new/dir/file', 'workspace', 'new/dir/file'],
    [join(kit.workspace.root, 'src/a.ts'), 'workspace', 'src/a.ts'],
    ['inside/a.ts', 'workspace', 'src/a.ts'],
    ['inside/new/b.ts', 'workspace', 'src/new/b.ts'],
    ['out/secret', 'outside', join(kit.base, 'other/secret')],
    ['out/new/file', 'outside', join(kit.base, 'other/new/file')],
    ['dangling', 'outside', join(kit.base, 'other/not-yet')],
    ['dangling/below', 'outside', join(kit.base, 'other/not-yet/below')],
    ['../other/secret', 'outside', join(kit.base, 'other/secret')],
    ['../work-not', 'outside', join(kit.base, 'work-not')],
    ['home/mesh_identity.key', 'private', join(kit.base, 'home/mesh_identity.key')],
    ['home/mesh_identity.key.bak', 'private', join(kit.base, 'home/mesh_identity.key.bak')],
    ['../home', 'private', join(kit.base, 'home')],
    ['../home/output/ses_test/x.txt', 'output', join(kit.base, 'home/output/ses_test/x.txt')],
    ['../home/output/ses_other/x.txt', 'private', join(kit.base, 'home/output/ses_other/x.txt')],
    ['out/../home/config.toml', 'private', join(kit.base, 'home/config.toml')],
  ]
  for (const [path, place, shown] of cases) {
    const resolved = await kit.workspace.resolve(path)
    assert.deepEqual([resolved.place, resolved.shown], [place, shown], path)
  }
  await assert.rejects(kit.workspace.resolve('loop'), { code: 'ELOOP' })
  await assert.rejects(kit.workspace.resolve('a\0b'), (error) => isAppError(error, 'bad_request'))
})

test('~ is the home directory', async () => {
  await using kit = await createToolKit({ HOME: '/srv/somebody' })
  assert.equal((await kit.workspace.resolve('~/x')).real, '/srv/somebody/x')
  assert.equal((await kit.workspace.resolve('~x')).place, 'workspace')
})

test('the environment and memory of processes are private', { skip: process.platform !== 'linux' }, async () => {
  await using kit = await createToolKit()
  assert.equal((await kit.workspace.resolve('/proc/self/environ')).place, 'private')
  assert.equal((await kit.workspace.resolve(`/proc/${process.ppid}/environ`)).place, 'private')
})

test('qmtcode’s files are private through the links of a process too', { skip: process.platform !== 'linux' }, async () => {
  await using kit = await createToolKit()
  const key = join(kit.base, 'home/mesh_identity.key')
  await writeFile(key, 'k')
  const file = await open(key)
  for (const path of [`/proc/self/root${key}`, `/proc/self/root/proc/self/root${key}`, `/proc/self/fd/${file.fd}`, `/dev/fd/${file.fd}`]) {
    assert.equal((await kit.workspace.resolve(path)).place, 'private', path)
  }
  await file.close()
})

test('the configuration and keys are closed where they lie within the workspace', async () => {
  await using kit = await createToolKit()
  const [root, config] = [kit.workspace.root, await kit.write('conf/qmt.toml', 'api_key = "sk-1"')]
  await symlink('conf/qmt.toml', join(root, 'link.toml'))
  const workspace = await openWorkspace(root, {
    qmtHome: join(kit.base, 'home'),
    outputDir: join(kit.base, 'home/output'),
    closed: [config, join(root, 'conf/../id.key')],
  })
  for (const name of ['id.key.bak', 'id.key.bad', 'id.key.0a1b2c.tmp', 'id.key~', '.id.key.swp', '#id.key#', 'ID.KEY.bak', 'id.key-old']) {
    assert.equal((await workspace.resolve(name)).place, 'private', `a copy of a closed file: ${name}`)
  }
  for (const path of ['id.keys', 'my-id.key', 'src/id.key.bak', 'qmt.toml'])
    assert.equal((await workspace.resolve(path)).place, 'workspace', path)
  for (const path of ['conf/qmt.toml', 'link.toml', 'id.key']) assert.equal((await workspace.resolve(path)).place, 'private', path)
  assert.equal(workspace.locate('conf/qmt.toml').place, 'private')
})

test('a workspace that is no directory is refused', async () => {
  await using kit = await createToolKit()
  const file = await kit.write('file', '')
  for (const path of [file, join(kit.base, 'none')]) {
    await assert.rejects(openWorkspace(path, { qmtHome: kit.base, outputDir: kit.base }), (error) => isAppError(error, 'bad_request'))
  }
})
