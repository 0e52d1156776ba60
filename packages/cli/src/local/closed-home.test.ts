import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import { acquireHomeLock } from './home-lock.ts'

const newHome = (name = 'qmt-closed-'): string => mkdtempSync(join(tmpdir(), name))

/** What the refusal of `home` says; undefined: it is taken. */
function refusal(home: string): { message: string; hint: string } | undefined {
  try {
    acquireHomeLock(home)?.release()
    return undefined
  } catch (error) {
    assert.ok(isAppError(error, 'bad_config'), String(error))
    return { message: error.message, hint: error.hint ?? '' }
  }
}
const commandOf = (hint: string): string => /chmod .*?(?=, or|$)/.exec(hint)?.[0] ?? assert.fail(hint)
const OPEN = [0o777, 0o770, 0o775, 0o720, 0o702, 0o1777, 0o2775]
const NAMES = ['mesh_identity.key', 'mesh_identity.key.bak', 'known_peers.json', 'config.toml', 'board.jsonl', 'sessions.db', 'node.lock']

describe('a QMT_HOME that another user can change', { skip: process.platform === 'win32' }, () => {
  for (const mode of OPEN) {
    test(`is refused with mode ${mode.toString(8)}, and taken after the command of the hint`, () => {
      const home = newHome("qmt closed '")
      chmodSync(home, mode)
      const refused = refusal(home)
      assert.match(refused?.message ?? '', /has mode \d+: other users can write there/)
      execFileSync('sh', ['-c', commandOf(refused?.hint ?? '')])
      assert.equal(statSync(home).mode & 0o777, 0o700)
      assert.equal(refusal(home), undefined)
    })
  }
  test('is taken where others may only look', () => {
    const home = newHome()
    for (const mode of [0o700, 0o755, 0o750, 0o711]) {
      chmodSync(home, mode)
      assert.equal(refusal(home), undefined, mode.toString(8))
    }
  })
  for (const name of NAMES) {
    test(`is refused for ${name} that the group or everybody can write, also through a link`, () => {
      for (const mode of [0o660, 0o666, 0o602, 0o620]) {
        for (const isLink of [false, true]) {
          const home = newHome()
          const file = join(isLink ? newHome() : home, name)
          writeFileSync(file, '')
          if (isLink) symlinkSync(file, join(home, name))
          chmodSync(file, mode)
          const refused = refusal(home)
          assert.match(refused?.message ?? '', new RegExp(`${name} has mode ${mode.toString(8)}: other users can change it`))
          execFileSync('sh', ['-c', commandOf(refused?.hint ?? '')])
          assert.equal(refusal(home), undefined)
        }
      }
    })
  }
  test('is refused for a directory in it that others can write; a dangling link and logs are nobody’s way in', () => {
    const home = newHome()
    symlinkSync(join(home, 'nowhere'), join(home, 'dangling'))
    writeFileSync(join(home, 'qmtcode.log'), '')
    chmodSync(join(home, 'qmtcode.log'), 0o666) // closed when it is opened
    assert.equal(refusal(home), undefined)
    mkdirSync(join(home, 'output'))
    chmodSync(join(home, 'output'), 0o775)
    assert.match(refusal(home)?.hint ?? '', /chmod go-w .*output$/)
  })
  test('is refused where it, or a file in it, belongs to another user', { skip: process.getuid?.() !== 0 }, () => {
    const home = newHome()
    const file = join(home, 'known_peers.json')
    writeFileSync(file, '{}', { mode: 0o600 })
    chownSync(file, 65_534, 65_534)
    assert.match(refusal(home)?.message ?? '', /known_peers\.json belongs to another user \(uid 65534/)
    chownSync(file, 0, 0)
    chownSync(home, 65_534, 65_534)
    assert.match(refusal(home)?.message ?? '', /belongs to another user \(uid 65534/)
  })
})
