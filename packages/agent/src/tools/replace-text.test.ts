import assert from 'node:assert/strict'
import test from 'node:test'
import { replaceText } from './replace-text.ts'

interface Case {
  title: string
  text: string
  old: string
  new: string
  all?: boolean
  becomes?: string
  problem?: RegExp
}

const CASES: Case[] = [
  { title: 'one match', text: 'a b c', old: 'b', new: 'x', becomes: 'a x c' },
  { title: 'over lines', text: 'a\nb\nc\n', old: 'a\nb', new: 'x', becomes: 'x\nc\n' },
  { title: 'deletion', text: 'a\nb\nc\n', old: 'b\n', new: '', becomes: 'a\nc\n' },
  { title: 'all matches', text: 'a a a', old: 'a', new: 'bb', all: true, becomes: 'bb bb bb' },
  { title: 'replacement that holds the searched', text: 'a a', old: 'a', new: 'aa', all: true, becomes: 'aa aa' },
  { title: 'patterns of String.replace are plain text', text: 'a', old: 'a', new: '$& $1', becomes: '$& $1' },
  { title: 'CRLF file, LF search', text: 'a\r\nb\r\nc\r\n', old: 'a\nb', new: 'x\ny', becomes: 'x\r\ny\r\nc\r\n' },
  { title: 'CRLF file, all', text: 'a\r\nb\r\na\r\n', old: 'a\n', new: 'x\n', all: true, becomes: 'x\r\nb\r\nx\r\n' },
  { title: 'LF file, CRLF search', text: 'a\nb\nc\n', old: 'a\r\nb', new: 'x\r\ny', becomes: 'x\ny\nc\n' },
  { title: 'mixed file keeps its other line ends', text: 'a\r\nb\nc\r\nd\r\n', old: 'c', new: 'x', becomes: 'a\r\nb\nx\r\nd\r\n' },
  { title: 'end of file without newline', text: 'a\nb', old: 'b', new: 'c\n', becomes: 'a\nc\n' },
  { title: 'none', text: 'foo(bar)\n', old: 'entirely different', new: 'x', problem: /0 matches\), nor anything like/ },
  { title: 'near', text: 'one\nconst value = 1\n', old: 'const valu = 1', new: 'x', problem: /nearest line is 2: "const value = 1"/ },
  {
    title: 'white space',
    text: 'one\n\tif (a) {\n',
    old: '    if (a) {',
    new: 'x',
    problem: /nearest line is 2; it differs in white space only/,
  },
  { title: 'later lines differ', text: 'a\nfirst\nsecond\n', old: 'first\nother', new: 'x', problem: /first line is there, at line 2/ },
  { title: 'several', text: 'a\nb\na\n', old: 'a', new: 'x', problem: /matches 2 times \(lines 1, 3\)/ },
  { title: 'empty', text: 'a', old: '', new: 'x', problem: /old_string is empty/ },
  { title: 'same', text: 'a', old: 'a', new: 'a', problem: /the same/ },
]

for (const { title, text, old, new: newText, all, becomes, problem } of CASES) {
  test(`edit: ${title}`, () => {
    const replaced = replaceText(text, { oldText: old, newText, replaceAll: all ?? false })
    if (becomes === undefined) assert.match(replaced.ok ? 'replaced' : replaced.problem, problem ?? /^$/)
    else assert.equal(replaced.ok ? replaced.text : replaced.problem, becomes)
  })
}
