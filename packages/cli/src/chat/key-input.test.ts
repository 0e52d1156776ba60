import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { createKeyInput } from './key-input.ts'

const BEGIN = '\u001b[200~'
const END = '\u001b[201~'

/** What readline gets, with each paste as `{text}`, after all pieces were read. */
async function keysOf(pieces: readonly string[], expected: string): Promise<string> {
  const source = new PassThrough()
  const keys = createKeyInput(source, { onPaste: (text) => `{${text}}` })
  let got = ''
  keys.stream.setEncoding('utf8').on('data', (text: string) => (got += text))
  for (const piece of pieces) {
    source.write(piece)
    await new Promise(setImmediate) // each piece is a read of its own, sooner than a hand types
  }
  await eventually(`${JSON.stringify(pieces)} is read`, () => got.length >= expected.length).catch(() => {})
  keys.stop()
  return got
}

const TABLE: [what: string, text: string, keys: string][] = [
  ['a typed line', 'fix it\r', 'fix it\r'],
  ['a typed line that ends with a line feed', 'fix it\n', 'fix it\n'],
  ['a marked paste of one line', `${BEGIN}one${END}`, '{one}'],
  ['a marked paste with a line break at its end, which is no Enter', `${BEGIN}y\r${END}`, '{y\n}'],
  ['a marked paste of lines, then Enter', `see ${BEGIN}a\r\nb\nc\rd${END}\r`, 'see {a\nb\nc\nd}\r'],
  ['two marked pastes', `${BEGIN}a\r${END}${BEGIN}/quit\r${END}`, '{a\n}{/quit\n}'],
  ['a marked paste that is empty', `${BEGIN}${END}\r`, '{}\r'],
  ['a marked paste of wide characters', `${BEGIN}日本\r🙂${END}`, '{日本\n🙂}'],
  ['a marked paste with keys in it', `${BEGIN}\u0003\u0004\u001b[A\t${END}`, '{\u0003\u0004\u001b[A\t}'],
  ['keys that are no text', '\u001b[A\u001b[D\u0003', '\u001b[A\u001b[D\u0003'],
  ['Ctrl-D behind Enter', 'a\r\u0004', 'a\r\u0004'],
  ['Ctrl-C behind Enter', 'a\r\u0003', 'a\r\u0003'],
  ['Enter held down', '\r\r\r', '\r\r\r'],
  ['Alt-Enter, Shift-Enter: another line', 'a\u001b\rb\u001b[13;2uc\r', 'a⏎b⏎c\r'],
]

/** One piece, a piece a character, and every cut into two. */
function cutsOf(text: string): string[][] {
  const chars = Array.from(text)
  const halves = chars.slice(1).map((_, at) => [chars.slice(0, at + 1).join(''), chars.slice(at + 1).join('')])
  return [[text], chars, ...halves]
}

test('a marked paste is one text and no Enter, and a key is a key, in however many pieces they come', async () => {
  for (const [what, text, keys] of TABLE) {
    for (const pieces of cutsOf(text)) assert.equal(await keysOf(pieces, keys), keys, `${what}, as ${JSON.stringify(pieces)}`)
  }
})

/** Keys before the first Enter may be shown as typed: the text is what they are together. */
const textOf = (keys: string): string => keys.replaceAll(/[{}]/g, '')

test('text with line breaks that comes faster than typed is one paste, in however many pieces, also where no terminal marks it', async () => {
  for (const text of ['a\rb', 'y\ry\r', '/quit\rrm -rf .\r', 'one\r\n\r\ntwo\r\n', 'a\nb\nc\n', '日本\r🙂\r']) {
    const meant = text.replaceAll(/\r\n?/g, '\n')
    for (const pieces of cutsOf(text)) {
      const keys = await keysOf(pieces, `{${meant}}`)
      assert.equal(textOf(keys), meant, JSON.stringify(pieces))
      assert.match(keys, /^[^\r\n{]*\{[^]*\}$/, `no Enter outside of the paste: ${JSON.stringify({ pieces, keys })}`)
    }
  }
})

test('an Escape that stays alone is a key; a paste that never ends is what came of it', async () => {
  assert.equal(await keysOf(['\u001b'], '\u001b'), '\u001b')
  assert.equal(await keysOf([`${BEGIN}half`], '{half}'), '{half}')
})

test('a paste of a megabyte is one paste', async () => {
  const text = 'a line of text\r'.repeat(70_000)
  const pieces = [BEGIN, ...(text.match(/[^]{1,65536}/g) ?? []), END]
  const expected = `{${text.replaceAll('\r', '\n')}}`
  assert.equal((await keysOf(pieces, expected)) === expected, true)
})
