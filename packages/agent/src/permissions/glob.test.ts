import assert from 'node:assert/strict'
import test from 'node:test'
import { pathMatches, textMatches } from './glob.ts'

const PATHS: [pattern: string, path: string, matches: boolean][] = [
  ['*.ts', 'a/b/c.ts', true],
  ['*.ts', 'a/b/c.tsx', false],
  ['*', 'a/.hidden', true],
  ['src/*', 'src/a', true],
  ['src/*', 'src/a/b', false],
  ['src/**', 'src/a/b', true],
  ['src/**', 'src', true],
  ['src/**', 'srcs/a', false],
  ['src/**/x', 'src/x', true],
  ['src/**/x', 'src/a/b/x', true],
  ['**/x.ts', 'x.ts', true],
  ['**/.env*', 'a/.env.local', true],
  ['/etc/**', '/etc/a/b', true],
  ['a/?.ts', 'a/b.ts', true],
  ['a/{b,c*}.ts', 'a/cd.ts', true],
  ['a/[bc].ts', 'a/c.ts', true],
  ['a/[!bc].ts', 'a/c.ts', false],
  ['a/(b)+$.ts', 'a/(b)+$.ts', true],
  ['a/b.ts', 'a/bxts', false],
  ['a/{b', 'a/{b', true],
]
for (const [pattern, path, matches] of PATHS) {
  test(`glob ${pattern} ${matches ? 'matches' : 'does not match'} ${path}`, () => assert.equal(pathMatches(pattern, path), matches))
}

test('a glob on text crosses slashes and lines', () => {
  assert.equal(textMatches('git * x', 'git a/b\nc x'), true)
  assert.equal(textMatches('git ?', 'git ab'), false)
})
