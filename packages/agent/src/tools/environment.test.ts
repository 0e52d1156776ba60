import assert from 'node:assert/strict'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { commandEnvironment } from './environment.ts'

const ROWS: Record<string, { entry: string; isKept: boolean }> = {
  'what npx adds for the workspace': { entry: 'work/node_modules/.bin', isKept: false },
  'what npx adds for the directories above it': { entry: 'node_modules/.bin', isKept: false },
  'what npx adds for a directory in it': { entry: 'work/packages/a/node_modules/.bin', isKept: false },
  'the same with a slash at its end': { entry: 'work/node_modules/.bin/', isKept: false },
  'programs of another project': { entry: 'other/node_modules/.bin', isKept: true },
  'a virtual environment that the person activated': { entry: 'work/.venv/bin', isKept: true },
  'programs of the system': { entry: 'usr/bin', isKept: true },
}

for (const [what, { entry, isKept }] of Object.entries(ROWS)) {
  test(`what the host runs must not be decided inside the workspace: PATH ${isKept ? 'keeps' : 'loses'} ${what}`, async () => {
    const base = await realpath(await mkdtemp(join(tmpdir(), 'qmt-env-')))
    try {
      for (const directory of ['work/packages/a', 'other']) await mkdir(join(base, directory), { recursive: true })
      const path = `${base}/${entry}`
      const { PATH } = await commandEnvironment({ PATH: `${path}:bin:/last` }, join(base, 'work'))
      assert.equal(PATH, isKept ? `${path}:/last` : '/last')
    } finally {
      await rm(base, { recursive: true, force: true })
    }
  })
}

test('a PATH that loses all is that of the system', async () => {
  assert.equal((await commandEnvironment({ PATH: 'bin:.' }, '/work'))['PATH'], '/usr/bin:/bin')
  assert.equal((await commandEnvironment({}, '/work'))['PATH'], '/usr/bin:/bin')
})
