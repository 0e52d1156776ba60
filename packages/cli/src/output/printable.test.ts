import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonLine, printable, printableLine } from './printable.ts'

const cases: [string, string, string][] = [
  ['colours', 'a\u001b[31mred\u001b[0mb', 'aredb'],
  ['cursor and screen', 'a\u001b[2J\u001b[1;1Hb', 'ab'],
  ['a window title', 'a\u001b]0;evil\u0007b', 'ab'],
  ['a link', '\u001b]8;;http://evil\u001b\\text\u001b]8;;\u001b\\', 'text'],
  ['the clipboard', '\u001b]52;c;ZXZpbA==\u0007x', 'x'],
  ['a device control string', 'a\u001bPq#0\u001b\\b', 'ab'],
  ['a string without an end, up to the line end', 'a\u001b]0;evil\nb', 'a\nb'],
  ['C1 sequences', 'a\u009b31mb\u009d0;x\u009cc', 'abc'],
  ['two-byte sequences', 'a\u001bcb\u001b(Bc', 'abc'],
  ['a lone escape', 'a\u001b', 'a'],
  ['bell, backspace, carriage return', 'good\rbad\b\u0007', 'goodbad'],
  ['text that runs backwards', 'a\u202eb\u2066c\u200fd', 'abcd'],
  ['hidden tags', 'a\u{e0041}b', 'ab'],
  ['tab and line ends stay', 'a\tb\r\nc\n', 'a\tb\nc\n'],
  ['other languages and emoji stay', 'žlutý 漢字 👩‍💻 é', 'žlutý 漢字 👩‍💻 é'],
]
for (const [what, text, expected] of cases) {
  test(`printable: ${what}`, () => assert.equal(printable(text), expected))
}

test('a sequence that is cut in two pieces loses its escape', () => {
  assert.equal(printable('a\u001b') + printable('[31mb'), 'a[31mb')
})

test('hostile text of a megabyte takes no time to speak of', { timeout: 5_000 }, () => {
  for (const evil of ['\u001b]', '\u001b[', '\u001b[0', '\u001bP0', '\u009b1;']) {
    const text = evil.repeat(1_000_000 / evil.length)
    assert.equal(printable(text).includes('\u001b'), false)
    printable(`\u001b[${'0'.repeat(1_000_000)}`)
  }
})

test('printableLine is one line of bounded length', () => {
  assert.equal(printableLine('a\n b\t\tc  '), 'a b c')
  assert.equal(printableLine('x'.repeat(1_000), 10), `${'x'.repeat(9)}…`)
})

test('JSON keeps its value and escapes what a terminal obeys', () => {
  const value = { text: 'a\u009b31m\u202e\u007f\u001b[0m' }
  const line = jsonLine(value)
  assert.match(line, /^[\x20-\x7e]*$/)
  assert.deepEqual(JSON.parse(line), value)
})
