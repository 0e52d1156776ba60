import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import test from 'node:test'
import { canRunAs } from './support/qmt.ts'

const BIN = new URL('../packages/cli/bin/qmtcode.js', import.meta.url).pathname
/** No system has an account with this number. */
const NO_ACCOUNT = 54_321

function base(): { directory: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'qmt-unusual-'))
  chmodSync(directory, 0o777)
  return { directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) }
}

for (const argv of [['--help'], ['--version'], ['nodes'], ['run', 'hi']]) {
  test(`the first minute on an unusual machine: ${argv.join(' ')} in a directory that is gone says so in one line`, () => {
    using place = base()
    const gone = join(place.directory, 'gone')
    mkdirSync(gone)
    const script = `cd "${gone}" && rmdir "${gone}" && exec "${process.execPath}" "${BIN}" ${argv.map((word) => `"${word}"`).join(' ')}`
    const ended = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8', env: { ...process.env, QMT_HOME: join(place.directory, 'q') } })
    assert.equal(ended.status, 2)
    assert.match(ended.stderr, /^the directory .* no longer exists: .*\n$/)
  })
}

for (const argv of [['identity'], ['sessions'], ['run', '--model', 'builtin/demo', 'hi'], ['audit']]) {
  const skip = !canRunAs(NO_ACCOUNT) && 'no other user id can run qmtcode here'
  test(`the first minute on an unusual machine: ${argv[0]} works for a user id without an account`, { skip }, () => {
    using place = base()
    const ended = spawnSync(process.execPath, [BIN, ...argv], {
      encoding: 'utf8',
      cwd: place.directory,
      uid: NO_ACCOUNT,
      gid: NO_ACCOUNT,
      env: { PATH: process.env['PATH'], HOME: place.directory, QMT_HOME: join(place.directory, 'q') },
    })
    assert.doesNotMatch(ended.stdout + ended.stderr, /uv_|ENOENT|userInfo|at .*\.ts:\d/)
    assert.equal(ended.status, 0, ended.stderr)
  })
}
