import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import type { PermissionRule } from '../permissions/types.ts'
import { defineTool } from '../tools/types.ts'
import { calls, createTurnKit, says } from './turn-kit.ts'
import type { TurnKit } from './turn-kit.ts'

const SECRET = 'PLAIN-SECRET'
const FILE = 'closed/a.env'

const onPath = z.object({ path: z.string() })
const extra = [
  defineTool({
    name: 'format',
    description: '',
    inputSchema: onPath,
    permission: 'edit',
    summary: () => '',
    target: ({ path }) => ({ path }),
    execute: () => Promise.resolve({ output: `formatted: ${SECRET}` }),
  }),
  defineTool({
    name: 'check',
    description: '',
    inputSchema: onPath,
    permission: 'mcp',
    summary: () => '',
    target: ({ path }) => ({ path }),
    execute: () => Promise.reject(new Error(`wrong in line 1: ${SECRET}`)),
  }),
]

const edit = (oldText: string, newText: string) => calls(['edit', { path: FILE, old_string: oldText, new_string: newText }])

const CALLS: Record<string, ReturnType<typeof calls>> = {
  'a file that is read': calls(['read_file', { path: FILE }]),
  'through a link': calls(['read_file', { path: 'link' }]),
  'the near miss of an edit': edit(`PLAIN-SECREX`, 'x'),
  'the diff of an edit': edit('key', 'name'),
  'the diff of an edit through a link': calls(['edit', { path: 'link', old_string: 'key', new_string: 'name' }]),
  'what a further tool says of a file that it changed': calls(['format', { path: FILE }]),
  'the error of a further tool': calls(['check', { path: FILE }]),
  'lines that a search finds': calls(['search_text', { pattern: 'S.CRET' }]),
  'lines that a search finds in the file': calls(['search_text', { pattern: 'S.CRET', path: FILE }]),
  'lines that a search finds through a link': calls(['search_text', { pattern: 'S.CRET', path: 'link' }]),
}

/** Ways to say that a file is not to be read. */
const RULES: Record<string, PermissionRule> = {
  'a rule that denies reading it': { tool: 'read', match: 'closed/**', action: 'deny' },
  'a rule that asks': { tool: 'read', match: '*.env', action: 'ask' },
  'a rule that names a tool that reads': { tool: 'read_file', match: 'closed/**', action: 'deny' },
  'a rule that names another': { tool: 'search_text', match: '*.env', action: 'deny' },
}

async function kitWith(rules: PermissionRule[], script: ReturnType<typeof calls>): Promise<TurnKit> {
  const permissions = { edit: 'allow' as const, mcp: 'allow' as const, rules }
  const kit = await createTurnKit({ script: [script, says('ok')], permissions, extra })
  await mkdir(join(kit.workspace, 'closed'))
  await writeFile(join(kit.workspace, FILE), `key = ${SECRET}\nkey\n`.slice(0, -5))
  await symlink(FILE, join(kit.workspace, 'link'))
  return kit
}

const sentTo = (kit: TurnKit): string => JSON.stringify(kit.sent.map(({ prompt }) => prompt))

for (const [what, script] of Object.entries(CALLS)) {
  test(`a rule is about what happens: the model is shown ${what}, where it may be read`, async () => {
    await using kit = await kitWith([], script)
    await kit.run('go')
    assert.match(sentTo(kit), new RegExp(SECRET))
  })
  for (const [rule, written] of Object.entries(RULES)) {
    test(`a rule is about what happens: ${rule} keeps back ${what}`, async () => {
      await using kit = await kitWith([written], script)
      await kit.run('go')
      assert.doesNotMatch(sentTo(kit), new RegExp(SECRET))
      assert.doesNotMatch(JSON.stringify([kit.live, kit.ended()]), new RegExp(SECRET))
    })
  }
}

test('a rule is about what happens: an edit says nothing of a file that may not be read, not even whether a text is in it', async () => {
  const said: unknown[] = []
  for (const guess of ['PLAIN', 'NO SUCH TEXT', 'e']) {
    await using kit = await kitWith([RULES['a rule that denies reading it'] as PermissionRule], edit(guess, 'x'))
    await kit.run('go')
    said.push(kit.ended())
  }
  assert.deepEqual(said[0], said[1])
  assert.deepEqual(said[0], said[2])
})

test('a file that may not be read can be replaced', async () => {
  const rules = [RULES['a rule that denies reading it'] as PermissionRule]
  await using kit = await kitWith(rules, calls(['write_file', { path: FILE, content: 'new' }]))
  await kit.run('go')
  assert.match(kit.ended()[0]?.output ?? '', /^write_file is done; what it says is not shown/)
})

test('where reading asks, an edit asks for both, and an answer for the session holds for both', async () => {
  await using kit = await createTurnKit({
    script: [calls(['edit', { path: 'a', old_string: 'x', new_string: 'y' }, 'c1']), calls(['read_file', { path: 'a' }, 'c2']), says('ok')],
    permissions: { read: 'ask' },
    answer: 'allow_session',
  })
  await writeFile(join(kit.workspace, 'a'), 'x')
  await kit.run('go')
  assert.deepEqual(
    kit.asked.map(({ needs }) => needs),
    [['edit', 'read']],
  )
})

for (const [rule, written] of Object.entries(RULES)) {
  test(`a rule is about what happens: ${rule} keeps it out of the instructions, also through a link of their name`, async () => {
    await using kit = await kitWith([written], says('ok'))
    await symlink(FILE, join(kit.workspace, 'AGENTS.md'))
    await kit.trust()
    await kit.run('go')
    assert.doesNotMatch(sentTo(kit), new RegExp(SECRET))
  })
}

test('instructions that may not be read are left out', async () => {
  for (const action of ['deny', 'ask'] as const) {
    await using kit = await kitWith([{ tool: 'read', match: 'AGENTS.md', action }], says('ok'))
    await writeFile(join(kit.workspace, 'AGENTS.md'), SECRET)
    await kit.trust()
    await kit.run('go')
    assert.doesNotMatch(sentTo(kit), new RegExp(SECRET))
  }
})
