import assert from 'node:assert/strict'
import test from 'node:test'
import type { Confinement } from '../sandbox/types.ts'
import type { ToolPermission } from '../tools/types.ts'
import type { ResolvedPath } from '../tools/workspace.ts'
import { createPermissions } from './permissions.ts'
import type { PermissionOptions, PermissionSubject } from './types.ts'

const inside = (path: string): ResolvedPath => ({ given: path, real: `/work/${path}`, shown: path, place: 'workspace' })
const outside = (path: string): ResolvedPath => ({ given: path, real: path, shown: path, place: 'outside' })

const read = (path = inside('a')): PermissionSubject => ({ tool: 'read_file', permission: 'read', path })
const edit = (path = inside('a')): PermissionSubject => ({ tool: 'edit', permission: 'edit', path })
const shell = (command: string): PermissionSubject => ({ tool: 'shell', permission: 'shell', command })
const other = (permission: ToolPermission): PermissionSubject => ({ tool: 'x', permission })

interface Case {
  title: string
  options?: PermissionOptions
  allow?: string[]
  granted?: PermissionSubject[]
  subject: PermissionSubject
  action: string
}

const deny = (tool: string, match?: string) => ({ tool, match, action: 'deny' as const })
const allow = (tool: string, match?: string) => ({ tool, match, action: 'allow' as const })
const ask = (tool: string, match?: string) => ({ tool, match, action: 'ask' as const })

const CASES: Case[] = [
  { title: 'reading is allowed', subject: read(), action: 'allow' },
  { title: 'editing is asked', subject: edit(), action: 'ask' },
  { title: 'shell is asked', subject: shell('ls'), action: 'ask' },
  { title: 'web is asked', subject: other('web'), action: 'ask' },
  { title: 'mcp is asked', subject: other('mcp'), action: 'ask' },
  { title: 'reading outside is asked', subject: read(outside('/etc/hosts')), action: 'ask' },
  { title: 'the table decides', options: { edit: 'allow', shell: 'deny' }, subject: edit(), action: 'allow' },
  { title: 'the table denies', options: { shell: 'deny' }, subject: shell('ls'), action: 'deny' },
  { title: 'shell = allow is the person’s choice', options: { shell: 'allow' }, subject: shell('ls'), action: 'allow' },
  { title: 'read = deny', options: { read: 'deny' }, subject: read(), action: 'deny' },
  { title: 'outside = deny stands over read = allow', options: { outside: 'deny' }, subject: read(outside('/x')), action: 'deny' },
  { title: 'outside = allow keeps edit asked', options: { outside: 'allow' }, subject: edit(outside('/x')), action: 'ask' },
  { title: '--allow over the table', options: { shell: 'deny' }, allow: ['shell'], subject: shell('ls'), action: 'allow' },
  { title: '--allow by a tool’s name', allow: ['edit'], subject: { ...edit(), tool: 'write_file' }, action: 'allow' },
  { title: '--allow edit is not outside', allow: ['edit'], subject: edit(outside('/x')), action: 'ask' },
  { title: '--allow edit,outside', allow: ['edit', 'outside'], subject: edit(outside('/x')), action: 'allow' },
  { title: '--allow over a rule that asks', options: { rules: [ask('shell')] }, allow: ['shell'], subject: shell('ls'), action: 'allow' },
  { title: '--allow edit is not what git runs', allow: ['edit'], subject: edit(inside('.git/hooks/post-checkout')), action: 'ask' },
  { title: 'nor a setting of git below, in any case', allow: ['edit'], subject: edit(inside('lib/.GIT/config')), action: 'ask' },
  { title: '--allow edit,shell is', allow: ['edit', 'shell'], subject: edit(inside('.git/config')), action: 'allow' },
  {
    title: 'shell = deny keeps git’s files',
    options: { shell: 'deny' },
    allow: ['edit'],
    subject: edit(inside('.git/config')),
    action: 'deny',
  },
  {
    title: 'a rule may name git’s files',
    options: { rules: [allow('edit', '.git/info/**')] },
    subject: edit(inside('.git/info/exclude')),
    action: 'allow',
  },
  { title: 'files that git only reads are edited as others', allow: ['edit'], subject: edit(inside('.gitignore')), action: 'allow' },
  { title: 'reading within .git is reading', subject: read(inside('.git/HEAD')), action: 'allow' },
  {
    title: 'a rule that denies over --allow',
    options: { rules: [deny('shell', 'rm *')] },
    allow: ['shell'],
    subject: shell('rm x'),
    action: 'deny',
  },
  {
    title: 'the last rule wins',
    options: { rules: [deny('edit'), allow('edit', 'src/**')] },
    subject: edit(inside('src/a')),
    action: 'allow',
  },
  {
    title: 'the last rule wins, other way',
    options: { rules: [allow('edit', 'src/**'), deny('edit')] },
    subject: edit(inside('src/a')),
    action: 'deny',
  },
  { title: 'a rule by tool name', options: { rules: [deny('read_file', '*.env')] }, subject: read(inside('conf/.env')), action: 'deny' },
  {
    title: 'a rule by tool name leaves others',
    options: { rules: [deny('read_file')] },
    subject: { ...read(), tool: 'search_text' },
    action: 'allow',
  },
  { title: 'a rule for all', options: { rules: [deny('*', 'secrets/**')] }, subject: read(inside('secrets/.key')), action: 'deny' },
  {
    title: 'an absolute rule opens outside',
    options: { rules: [allow('read', '/usr/**')] },
    subject: read(outside('/usr/include/x.h')),
    action: 'allow',
  },
  {
    title: 'a rule with ~',
    options: { rules: [allow('read', '~/docs/**')], home: '/home/u' },
    subject: read(outside('/home/u/docs/a')),
    action: 'allow',
  },
  {
    title: 'a relative rule does not',
    options: { rules: [allow('read', '*.h')] },
    subject: read(outside('/usr/include/x.h')),
    action: 'ask',
  },
  {
    title: 'a rule on a path says nothing of commands',
    options: { rules: [allow('*', 'src/**')] },
    subject: shell('src/run'),
    action: 'ask',
  },
  { title: 'an allowed command', options: { rules: [allow('shell', 'git status*')] }, subject: shell('git status -s'), action: 'allow' },
  { title: 'slashes in commands', options: { rules: [allow('shell', 'npm test *')] }, subject: shell('npm test a/b'), action: 'allow' },
  { title: 'and one after it', options: { rules: [allow('shell', 'git status*')] }, subject: shell('git status; rm -rf .'), action: 'ask' },
  { title: 'and one within it', options: { rules: [allow('shell', 'git status*')] }, subject: shell('git status $(rm x)'), action: 'ask' },
  { title: 'and one piped', options: { rules: [allow('shell', 'cat *')] }, subject: shell('cat x | sh'), action: 'ask' },
  { title: 'and one on the next line', options: { rules: [allow('shell', 'cat *')] }, subject: shell('cat x\nrm y'), action: 'ask' },
  {
    title: 'a denied command in a list',
    options: { shell: 'allow', rules: [deny('shell', 'rm *')] },
    subject: shell('ls && rm x'),
    action: 'deny',
  },
  { title: 'allow_session for shell: the same command', granted: [shell('make')], subject: shell(' make\n'), action: 'allow' },
  ...['make ', 'make all', 'make;rm x', 'Make', 'make\n\nrm x', '/usr/bin/make', "'make'", 'ma\\ke'].map((command) => ({
    title: `allow_session for shell is no other command: ${JSON.stringify(command)}`,
    granted: [shell('make')],
    subject: shell(command),
    action: command.trim() === 'make' ? 'allow' : 'ask',
  })),
  { title: 'allow_session for edit', granted: [edit()], subject: edit(inside('b')), action: 'allow' },
  {
    title: 'allow_session for shell is none where more is run',
    granted: [shell('make')],
    subject: { ...shell('make'), isMore: true },
    action: 'ask',
  },
  { title: 'allow_session for shell is none where no command is named', granted: [other('shell')], subject: other('shell'), action: 'ask' },
  {
    title: 'allow_session for a command is not one for .git',
    granted: [shell('ls'), edit()],
    subject: edit(inside('.git/config')),
    action: 'ask',
  },
  {
    title: 'allow_session for MCP: one tool',
    granted: [{ ...other('mcp'), tool: 'a' }],
    subject: { ...other('mcp'), tool: 'b' },
    action: 'ask',
  },
  { title: 'allow_session never over deny', options: { shell: 'deny' }, granted: [shell('ls')], subject: shell('make'), action: 'deny' },
  {
    title: 'allow_session outside: the same directory',
    granted: [read(outside('/etc/a/x'))],
    subject: read(outside('/etc/a/b/y')),
    action: 'allow',
  },
  { title: 'allow_session outside: no other', granted: [read(outside('/etc/a/x'))], subject: read(outside('/etc/b')), action: 'ask' },
  { title: 'allow_session outside: not the whole root', granted: [read(outside('/x'))], subject: read(outside('/y')), action: 'ask' },
  {
    title: 'private, whatever is allowed',
    options: { outside: 'allow', rules: [allow('*')] },
    allow: ['read', 'outside'],
    subject: read({ ...outside('/h/key'), place: 'private' }),
    action: 'deny',
  },
  { title: 'outputs can be read', options: { read: 'ask' }, subject: read({ ...outside('/h/output'), place: 'output' }), action: 'allow' },
  {
    title: 'outputs cannot be written',
    options: { edit: 'allow' },
    subject: edit({ ...outside('/h/output'), place: 'output' }),
    action: 'deny',
  },
]

for (const { title, options, allow = [], granted = [], subject, action } of CASES) {
  test(`permissions: ${title}`, () => {
    assert.equal(createPermissions(options).forSession({ allow, granted }).decide(subject).action, action)
  })
}

test('an answer for the session counts', () => {
  const after = (...granted: PermissionSubject[]) => createPermissions().forSession({ allow: [], granted })
  assert.deepEqual(after().decide(edit(outside('/x/a'))).needs, ['edit', 'outside'])
  assert.equal(after(edit(outside('/x/a'))).decide(edit(outside('/x/b'))).action, 'allow')
})

test('says why shell is asked for', () => {
  const { reason } = createPermissions().forSession({ allow: [], granted: [] }).decide(shell('ls'))
  assert.match(reason, /no sandbox/)
})

test('a search keeps back what rules name', () => {
  const session = createPermissions({ rules: [deny('read', 'secrets/**'), ask('read', '*.pem')] }).forSession({ allow: [], granted: [] })
  assert.equal(session.hides(read(inside('secrets/a'))), true)
  assert.equal(session.hides(read(inside('x/y.pem'))), true)
  assert.equal(session.hides(read(inside('a'))), false)
  assert.equal(session.hides(read(outside('/etc/hosts'))), false)
})

test('on behalf of a peer nothing but an edit in the workspace is allowed by what is written for the own person', () => {
  const rules = [
    { tool: 'shell', match: 'git status', action: 'allow' as const },
    { tool: 'edit', match: '*.env', action: 'ask' as const },
  ]
  const permissions = createPermissions({ shell: 'allow', outside: 'allow', edit: 'ask', rules })
  const guest = permissions.forSession({ allow: ['shell', 'edit', 'outside'], granted: [], forGuest: true })
  const path = (place: 'workspace' | 'outside', shown: string) => ({ given: shown, real: `/x/${shown}`, shown, place })
  const edit = (at: ReturnType<typeof path>) => guest.decide({ tool: 'write_file', permission: 'edit', path: at })
  assert.equal(edit(path('workspace', 'a.txt')).action, 'allow')
  const outside = edit(path('outside', 'a.txt'))
  assert.deepEqual([outside.action, outside.reserved], ['ask', true])
  const byRule = edit(path('workspace', 'x.env'))
  assert.deepEqual([byRule.action, byRule.reserved], ['ask', true])
  const shell = guest.decide({ tool: 'shell', permission: 'shell', command: 'git status' })
  assert.deepEqual([shell.action, shell.reserved], ['ask', true])
  const unasked = permissions.forSession({ allow: [], granted: [], forGuest: true })
  const plain = unasked.decide({ tool: 'write_file', permission: 'edit', path: path('workspace', 'a.txt') })
  assert.deepEqual([plain.action, plain.reserved ?? false], ['ask', false])
  const granted = [{ tool: 'write_file', permission: 'edit' as const, path: path('workspace', 'a.txt') }]
  const later = permissions.forSession({ allow: ['edit'], granted, forGuest: true })
  assert.equal(later.decide({ tool: 'write_file', permission: 'edit', path: path('workspace', 'x.env') }).action, 'ask')
})

test('shell = "sandbox": a guest runs commands unasked in a sandbox that works, and nothing else more than before', () => {
  const sandbox: Confinement = { kind: 'sandbox', wrap: (command) => Promise.resolve(command), network: false }
  const none: Confinement = { kind: 'none', why: 'x', isRequired: false }
  const decideAs = (options: PermissionOptions, rights: { confinement: Confinement; forGuest?: boolean }) => (subject: PermissionSubject) =>
    createPermissions(options)
      .forSession({ allow: [], granted: [], forGuest: true, freeInSandbox: true, ...rights })
      .decide(subject)
  const guest = decideAs({}, { confinement: sandbox })
  assert.equal(guest(shell('make')).action, 'allow')
  for (const subject of [edit(inside('.git/config')), edit(outside('/x')), read(outside('/x')), other('web'), other('mcp')])
    assert.deepEqual([guest(subject).action, guest(subject).reserved], ['ask', true])
  assert.equal(decideAs({}, { confinement: none })(shell('make')).action, 'ask')
  assert.equal(decideAs({}, { confinement: sandbox, forGuest: false })(shell('make')).action, 'ask')
  assert.equal(decideAs({ shell: 'deny' }, { confinement: sandbox })(shell('make')).action, 'deny')
  const ruled = decideAs({ rules: [deny('shell', 'rm *'), ask('shell', 'git push*')] }, { confinement: sandbox })
  assert.deepEqual([ruled(shell('rm x')).action, ruled(shell('git push')).action, ruled(shell('ls')).action], ['deny', 'ask', 'allow'])
})
