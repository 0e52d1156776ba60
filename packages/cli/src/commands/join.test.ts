import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { INVITE_PREFIX } from '@qmtcode/protocol'
import { PEER_B, cli, fakeNode, startCli } from './cli-kit.ts'

const URL_ = `${INVITE_PREFIX}${'WzEsImludl9l-_x'.repeat(30)}.${'S'.repeat(86)}`
const inFile = (text: string): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'qmt-invite-')), 'invite')
  writeFileSync(path, text)
  return path
}

describe('an invite comes by stdin or a file, and never needs to be an argument', () => {
  const WAYS: [string, string[], string | undefined][] = [
    ['a pipe', ['join', '--yes', '--no-use'], `${URL_}\n`],
    ['a pipe that is asked for', ['join', '-', '--yes', '--no-use'], URL_],
    ['a mail in a pipe', ['join', '-', '--yes', '--no-use'], `over there:\n> ${URL_.slice(0, 70)}\n> ${URL_.slice(70)}\n`],
    ['a file', ['join', '--file', inFile(`${URL_}\n`), '--yes', '--no-use'], undefined],
    ['an argument', ['join', URL_, '--yes', '--no-use'], undefined],
  ]
  for (const [what, argv, stdin] of WAYS) {
    test(what, async () => {
      const node = fakeNode()
      const { code, stderr } = await cli(argv, { node, stdin })
      assert.equal(code, 0, stderr)
      assert.equal(node.changes.length, 1)
      const joined = node.changes[0]?.replace(/[\n> ]/g, '') ?? ''
      assert.ok(joined.includes(URL_), joined)
      assert.equal(/safer: qmtcode join, then paste/.test(stderr), what === 'an argument', stderr)
    })
  }

  test('a paste at a terminal, in pieces, then a yes', async () => {
    const node = fakeNode()
    const started = startCli(['join', '--no-use'], { node, tty: true })
    await started.seen(/paste the invite: /)
    started.stdin.write(`${URL_.slice(0, 80)}\n`)
    started.stdin.write(`${URL_.slice(80)}\n`)
    await started.seen(/join it\? \[y\/N\] /)
    assert.deepEqual(node.changes, [])
    started.stdin.write('y\n')
    assert.equal(await started.code, 0, started.stderr())
    assert.equal(node.changes.length, 1)
  })
})

test('join says who will be admin here and what that means, before its question; only yes joins', async () => {
  for (const answer of ['n\n', '\n', 'yes please\n', undefined]) {
    const node = fakeNode()
    const started = startCli(['join', '--file', inFile(URL_)], { node, tty: true })
    await started.seen(/join it\? \[y\/N\] /)
    const said = started.stderr().slice(0, started.stderr().indexOf('join it?')).replaceAll('\n', ' ')
    assert.match(said, new RegExp(`admins here will be: its root ${PEER_B}, and whom these make admin`))
    assert.match(said, /reads no sessions of others here, unless \[mesh\.share\] admins_observe = true/)
    if (answer === undefined) started.stdin.end()
    else started.stdin.write(answer)
    assert.equal(await started.code, 130)
    assert.match(started.stderr(), /not joined/)
    assert.deepEqual(node.changes, [])
  }
})

test('a script reads the same, though it is not asked', async () => {
  const { stderr, stdout } = await cli(['join', '--yes', '--json'], { stdin: URL_ })
  assert.match(stderr, /admins here will be/)
  assert.equal((JSON.parse(stdout) as { role: string }).role, 'client')
})

describe('an error about an invite says what to do, and shows nothing of it', () => {
  const BAD: [string, string[], string, RegExp][] = [
    ['two of them', ['join', URL_, '--file', inFile(URL_), '--yes'], '', /two invites/],
    ['a file that is not there', ['join', '--file', '/nonexistent/invite', '--yes'], '', /cannot read the file of the invite/],
    ['a file without one', ['join', '--file', inFile('secret-of-mine'), '--yes'], '', /no invite is in the file/],
    ['a directory', ['join', '--file', tmpdir(), '--yes'], '', /cannot read the file of the invite/],
    ['an endless pipe', ['join', '--yes'], 'x'.repeat(70_000), /the invite has more than 65536 bytes/],
  ]
  for (const [what, argv, stdin, expected] of BAD) {
    test(what, async () => {
      const { code, stderr } = await cli(argv, { stdin })
      assert.notEqual(code, 0)
      assert.match(stderr, expected)
      assert.doesNotMatch(stderr, /secret-of-mine|WzEsImludl9l/)
    })
  }
})
