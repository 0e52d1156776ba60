import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isAppError, silentLogger } from '@qmtcode/protocol'
import type { PeerId, Role } from '@qmtcode/protocol'
import { openAdminsObserve } from './admins-observe.ts'

const peer = (letter: string): PeerId => `12D3KooW${letter.repeat(44)}` as PeerId
const [A, B] = [peer('A'), peer('B')]

function kit() {
  const file = join(mkdtempSync(join(tmpdir(), 'qmt-observe-')), 'admins_observe.json')
  const time = { now: 1_000 }
  const open = (enabled: boolean, roles: [PeerId, Role][] = []) =>
    openAdminsObserve(
      { clock: { now: () => time.now, monotonic: () => 0 }, logger: silentLogger },
      { file, enabled, peers: roles.map(([peerId, role]) => ({ peerId, role })) },
    )
  return { file, time, open }
}

test('an admin observes from the later of the setting and its role, over restarts of the node', () => {
  const { file, time, open } = kit()
  const first = open(true, [
    [A, 'admin'],
    [B, 'member'],
  ])
  time.now = 2_000
  first.changed(B, 'admin')
  first.changed(A, 'admin')
  assert.deepEqual([first.since(A), first.since(B)], [1_000, 2_000])
  assert.equal(statSync(file).mode & 0o777, 0o600)
  time.now = 3_000
  const again = open(true, [
    [A, 'admin'],
    [B, 'admin'],
  ])
  assert.deepEqual([again.since(A), again.since(B)], [1_000, 2_000])
})

const ENDS: [string, (kit_: ReturnType<typeof kit>) => void][] = [
  ['the setting went', ({ open }) => void open(false, [[A, 'admin']])],
  ['its role went while the node ran', ({ open }) => open(true, [[A, 'admin']]).changed(A, 'member')],
  ['it was forgotten while the node ran', ({ open }) => open(true, [[A, 'admin']]).changed(A, undefined)],
  ['its role went while the node did not run', ({ open }) => void open(true, [[A, 'client']])],
]
for (const [what, end] of ENDS) {
  test(`what was given before begins again from nothing where ${what}`, () => {
    const all = kit()
    assert.equal(all.open(true, [[A, 'admin']]).since(A), 1_000)
    end(all)
    all.time.now = 9_000
    assert.equal(all.open(true, [[A, 'admin']]).since(A), 9_000)
  })
}

test('without the setting nobody observes, and nothing is kept; a file that is damaged is refused', () => {
  const { file, open } = kit()
  open(true, [[A, 'admin']])
  assert.equal(open(false, [[A, 'admin']]).since(A), undefined)
  assert.equal(existsSync(file), false)
  writeFileSync(file, '{"version":1,"admins":{"x":0}}')
  assert.throws(
    () => open(true),
    (error) => isAppError(error, 'bad_config') && error.hint?.startsWith(`rm ${file}`) === true,
  )
})
