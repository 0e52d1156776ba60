import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { INVITE_PREFIX, inviteIn, isWholeInvite } from './invite-text.ts'

const URL_ = `${INVITE_PREFIX}${'WzEsImludl9l-_x'.repeat(30)}.${'Sig-_'.repeat(17)}x`

const broken = (mark: string, every: number): string => (URL_.match(new RegExp(`.{1,${every}}`, 'g')) ?? []).join(mark)

const PIECES: [string, string][] = [
  ['lines of a terminal', broken('\n', 80)],
  ['lines of Windows', broken('\r\n', 76)],
  ['lines that begin with blanks', broken('\n    ', 60)],
  ['blanks', broken(' ', 40)],
  ['a break within what every invite begins with', broken('\n', 7)],
  ['one character a line', broken('\n', 1)],
  ['tabs', broken('\t', 50)],
  ['blanks that do not break, or have no width', broken('\u00a0\u200b', 33)],
  ['soft hyphens and byte order marks', broken('\u00ad\ufeff', 33)],
  ['a quoted mail', `> ${broken('\n> ', 70)}`],
  ['a mail of quoted-printable', broken('=\n', 75)],
  ['a shell line with backslashes', `qmtcode join '${broken('\\\n', 72)}'`],
  ['a box of a terminal', broken('│\n│', 72)],
]

describe('an invite in pieces is put together', () => {
  for (const [what, text] of PIECES) {
    test(what, () => {
      assert.deepEqual(inviteIn(text), { url: URL_, isJoined: true })
      assert.deepEqual(inviteIn(`over there:\n${text}\nfor one machine, as client\n`)?.url, URL_, 'with words around it')
    })
  }
})

test('an invite in one piece is itself, with whatever stands around it', () => {
  for (const text of [URL_, ` ${URL_}\n`, `'${URL_}'`, `<${URL_}>`, `a: ${URL_} b`, `\u001b[97m${URL_}\u001b[0m`, `${URL_}\n${URL_}`]) {
    assert.deepEqual(inviteIn(text), { url: URL_, isJoined: false }, JSON.stringify(text))
  }
})

test('what is altered stays altered: nothing that can stand in an invite is left out', () => {
  assert.equal(inviteIn(`${URL_}x`)?.url, `${URL_}x`)
  assert.equal(isWholeInvite(`${URL_}x`), false)
  for (const length of [20, 100, URL_.length - 1]) assert.equal(isWholeInvite(inviteIn(URL_.slice(0, length))?.url ?? ''), false)
  assert.equal(isWholeInvite(URL_), true)
})

test('a text without one has none, and a large one takes no time', () => {
  for (const text of ['', 'hello', 'qmt://mesh/', 'https://mesh/join/a.b']) assert.equal(inviteIn(text), undefined)
  const started = performance.now()
  inviteIn(INVITE_PREFIX + 'a '.repeat(32_768))
  inviteIn('a '.repeat(32_768) + URL_)
  assert.ok(performance.now() - started < 500)
})
