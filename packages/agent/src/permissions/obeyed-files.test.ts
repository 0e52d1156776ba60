import assert from 'node:assert/strict'
import test from 'node:test'
import type { ResolvedPath } from '../tools/workspace.ts'
import { OBEYED_NAMES } from './obeyed-names.ts'
import { createPermissions } from './permissions.ts'

const at = (shown: string, root = '/work'): ResolvedPath => ({ given: shown, real: `${root}/${shown}`, shown, place: 'workspace' })
const own = createPermissions().forSession({ allow: ['edit'], granted: [] })
const guest = createPermissions({ shell: 'allow' }).forSession({
  allow: ['edit', 'shell'],
  granted: [],
  forGuest: true,
  confinement: { kind: 'sandbox', network: false, wrap: (command) => Promise.resolve(command) },
  freeInSandbox: true,
})
const writing = (path: ResolvedPath) => ({ tool: 'write_file', permission: 'edit' as const, path })

/** Names that some file system takes for the same. */
const spellings = (name: string): string[] => [
  name,
  name.toUpperCase(),
  `packages/one/${name}`,
  `${name}/below/file`,
  name.normalize('NFD'),
  `\u200C${name}`,
  name.replace(/(?<=^.)/, '\u200D'),
  `${name}. `,
  `${name}::$INDEX_ALLOCATION`,
  name.replaceAll(/[a-z]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfe_e0)),
  name.replaceAll('k', '\u212A').replaceAll('s', '\u017F'),
]
/** A pattern as a name that it matches. */
const sample = (name: string): string => name.replaceAll('*', 'x').replace('.yxml', '.yaml')

for (const { by, runs, names } of OBEYED_NAMES) {
  test(`what other programs run or obey asks as a command does, in any spelling: ${by}, ${names}`, () => {
    for (const path of names.split(' ').map(sample).flatMap(spellings)) {
      const decision = guest.decide(writing(at(path)))
      const shown = JSON.stringify(path)
      assert.deepEqual([decision.action, decision.reserved, decision.needs], ['ask', true, ['shell']], shown)
      assert.match(decision.reason, / (?:runs|obeys) what is written there$/, shown)
      assert.equal(own.decide(writing(at(path))).action, decision.reason.includes('runs') ? 'ask' : 'allow', shown)
    }
    const [first = ''] = names.split(' ').map(sample)
    if (runs) assert.equal(own.decide(writing(at(first))).action, 'ask')
  })
}

test('code that somebody has to start is edited as before', () => {
  const code =
    'package.json Makefile src/index.ts tsconfig.json eslint.config.js .gitignore .prettierrc Dockerfile .env.example .env.local.sample ' +
    'docs/env.md git/config x.git.ts hooks/use-it.ts vscode/a my.npmrc.md .a ...'
  for (const path of code.split(' ')) {
    assert.equal(guest.decide(writing(at(path))).action, 'allow', path)
    assert.equal(own.decide(writing(at(path))).action, 'allow', path)
  }
})

test('the person works in such a directory as in any other, but not in a repository’s own; a guest in neither', () => {
  const cases: [root: string, action: string][] = [
    ['/home/me/.config/nvim', 'allow'],
    ['/home/me/project/.claude/worktrees/one', 'allow'],
    ['/home/me/project/.git/hooks', 'ask'],
  ]
  for (const [root, action] of cases) {
    assert.equal(own.decide(writing(at('init.lua', root))).action, action, root)
    assert.equal(guest.decide(writing(at('init.lua', root))).reserved, true, root)
  }
})

test('a rule allows such a file only if it names it', () => {
  const cases: [match: string, action: string][] = [
    ['**', 'ask'],
    ['*', 'ask'],
    ['**/settings.json', 'ask'],
    ['.vscode/**', 'allow'],
    ['.vscode/settings.json', 'allow'],
  ]
  for (const [match, action] of cases) {
    const rules = [{ tool: 'edit', match, action: 'allow' as const }]
    const session = createPermissions({ rules }).forSession({ allow: [], granted: [] })
    assert.equal(session.decide(writing(at('.vscode/settings.json'))).action, action, match)
  }
})
