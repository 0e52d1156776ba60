import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import { parseArguments } from './arguments.ts'
import { PEER_A } from './cli-kit.ts'

const parse = (line: string) => parseArguments(split(line), { version: '1.2.3' })
const split = (line: string): string[] => (line === '' ? [] : line.split(' '))
const mesh = (over: object = {}) => ({ enabled: true, addresses: [], listen: [], connect: [], ...over })
const noMesh = { enabled: false, addresses: [], listen: [], connect: [] }
const run = (over: object) => ({ command: 'run', json: false, allow: [], ...over })
const session = 'ses_0123456789abcdef'

const meanings: [string, object, object?][] = [
  ['', { command: 'start', options: {} }, { configPath: undefined, mesh: noMesh, headless: false, waitMs: 5_000 }],
  ['--mesh', { command: 'start', options: {} }, { mesh: mesh() }],
  ['--mesh run hello', run({ prompt: 'hello' }), { mesh: mesh() }],
  ['run --mesh hello', run({ prompt: 'hello' }), { mesh: mesh() }],
  [
    '--mesh=/ip4/1.2.3.4/tcp/9000 --mesh=/udp/9000/quic',
    { command: 'start', options: {} },
    { mesh: mesh({ addresses: ['/ip4/1.2.3.4/tcp/9000', '/udp/9000/quic'] }) },
  ],
  [
    '--mesh-listen /ip4/127.0.0.1/tcp/0 --mesh-connect=/ip4/1.2.3.4/tcp/9 --headless',
    { command: 'start', options: {} },
    { mesh: mesh({ listen: ['/ip4/127.0.0.1/tcp/0'], connect: ['/ip4/1.2.3.4/tcp/9'] }), headless: true },
  ],
  ['team.toml', { command: 'start', options: {} }, { configPath: 'team.toml' }],
  ['--agent coder --model a/b', { command: 'start', options: { agent: 'coder', model: 'a/b' } }, {}],
  ['team.toml --mesh', { command: 'start', options: {} }, { configPath: 'team.toml', mesh: mesh() }],
  ['--mesh team.toml run a.toml', run({ prompt: 'a.toml' }), { configPath: 'team.toml', mesh: mesh() }],
  ['--wait 2 team.toml nodes --json', { command: 'nodes', json: true }, { configPath: 'team.toml', waitMs: 2_000 }],
  ['--config team.toml nodes', { command: 'nodes', json: false }, { configPath: 'team.toml' }],
  ['run notes.toml', run({ prompt: 'notes.toml' }), { configPath: undefined }],
  ['run -', run({ prompt: undefined })],
  ['run', run({ prompt: undefined })],
  ['run -- --json', run({ prompt: '--json' })],
  ['run -- --mesh', run({ prompt: '--mesh' }), { mesh: noMesh }],
  [
    'run --json --agent a --model gpu:p/m --node gpu --allow edit,shell --allow web x',
    run({ json: true, agent: 'a', model: 'gpu:p/m', node: 'gpu', allow: ['edit', 'shell', 'web'], prompt: 'x' }),
  ],
  [`run --session ${session} x`, run({ session, prompt: 'x' })],
  ['run x --wait 1', run({ prompt: 'x' }), { waitMs: 1_000 }],
  ['run --node any x', { command: 'not-built', what: 'run --node any' }],
  ['run --agent claude --model opus x', run({ agent: 'claude', model: 'opus', prompt: 'x' })],
  ['models --json', { command: 'models', json: true }],
  ['agents', { command: 'agents', json: false }],
  ['routes', { command: 'routes', json: false }],
  ['sessions --json --limit 5', { command: 'sessions', json: true, limit: 5 }],
  [
    `sessions fork gpu-server/${session} --at msg_1 --title other`,
    { command: 'sessions fork', node: 'gpu-server', id: session, at: 'msg_1', title: 'other', json: false },
  ],
  [`sessions show ${session} --json`, { command: 'sessions show', id: session, json: true }],
  [`sessions --json delete ${session}`, { command: 'sessions delete', id: session, json: true }],
  [`sessions resume ${session}`, { command: 'sessions resume', id: session, json: false }],
  ['peers', { command: 'peers', json: false }],
  [
    `peers admit ${PEER_A} --role member --name box`,
    { command: 'peers change', change: { kind: 'admit', peer: PEER_A, role: 'member', name: 'box' }, json: false, yes: false },
  ],
  [
    `peers role ${PEER_A} admin --yes`,
    { command: 'peers change', change: { kind: 'role', peer: PEER_A, role: 'admin' }, json: false, yes: true },
  ],
  ['peers use gpu', { command: 'peers change', change: { kind: 'use', peer: 'gpu', use: true }, json: false, yes: false }],
  ['peers use gpu --off --json', { command: 'peers change', change: { kind: 'use', peer: 'gpu', use: false }, json: true, yes: false }],
  ['peers ban gpu', { command: 'peers change', change: { kind: 'ban', peer: 'gpu', mesh: false }, json: false, yes: false }],
  ['peers ban gpu --mesh-wide', { command: 'peers change', change: { kind: 'ban', peer: 'gpu', mesh: true }, json: false, yes: false }],
  ['invites', { command: 'invites', json: false }],
  ['join qmt://mesh/join/a.b --no-use --yes', { command: 'join', invite: 'qmt://mesh/join/a.b', use: false, json: false, yes: true }],
  ['join', { command: 'join', use: true, json: false, yes: false }],
  ['join - --yes', { command: 'join', invite: '-', use: true, json: false, yes: true }],
  ['join --file invite.txt --json', { command: 'join', file: 'invite.txt', use: true, json: true, yes: false }],
  [
    'invite --role admin --ttl 30m --uses 3 --label gpu,big --no-qr',
    { command: 'invite', role: 'admin', ttlMs: 1_800_000, uses: 3, labels: ['gpu', 'big'], qr: false, json: false, yes: false },
  ],
  ['peers forget gpu', { command: 'peers change', change: { kind: 'forget', peer: 'gpu' }, json: false, yes: false }],
  ['identity --json', { command: 'identity', json: true }],
  ['config check', { command: 'config check', json: false }],
  ['config schema', { command: 'config schema' }],
  [`attach gpu/${session} --no-follow`, { command: 'attach', node: 'gpu', session, new: false, follow: false, json: false }],
  ['attach', { command: 'attach', new: false, follow: true, json: false }],
  [`attach ${session}`, { command: 'attach', session, new: false, follow: true, json: false }],
  ['attach gpu --new --agent a', { command: 'attach', node: 'gpu', new: true, agent: 'a', follow: true, json: false }],
  ['logs --help', { command: 'not-built', what: 'logs' }],
  ['--dashboard', { command: 'not-built', what: '--dashboard' }],
  ['--dashboard --mesh', { command: 'not-built', what: '--dashboard' }],
  ['--dashboard=0.0.0.0:80', { command: 'not-built', what: '--dashboard' }],
  ['--acp', { command: 'acp' }],
  ['--acp --mesh', { command: 'acp' }, { mesh: mesh() }],
  ['--acp team.toml', { command: 'acp' }, { configPath: 'team.toml' }],
  ['team.toml --acp --wait 1', { command: 'acp' }, { configPath: 'team.toml', waitMs: 1_000 }],
  ['--acp --node gpu --agent=coder team.toml', { command: 'acp', node: 'gpu', agent: 'coder' }, { configPath: 'team.toml' }],
]
for (const [line, invocation, globals = {}] of meanings) {
  test(`qmtcode ${line}`, () => {
    const parsed = parse(line)
    assert.deepEqual(defined(parsed.invocation), defined(invocation))
    for (const [key, value] of Object.entries(globals)) assert.deepEqual(parsed.globals[key as 'mesh'], value)
  })
}
const defined = (value: object): object => Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined))

const errors: [string, string, string?][] = [
  ['--msh', "unknown option '--msh'", 'did you mean --mesh?'],
  ['run --jsn x', "unknown option '--jsn'", 'did you mean --json?'],
  ['noeds', "unknown command 'noeds'", 'did you mean nodes?'],
  ['config.yaml', "unknown command 'config.yaml'", 'qmtcode --help'],
  ['--mesh chat', "unknown command 'chat'"],
  ['--mesh=', '--mesh= has no value', '--mesh=VALUE, or --mesh alone'],
  ['--mesh=9000', 'Expected a multiaddr, for example /ip4/192.168.1.100/tcp/9000.'],
  ['--wait x nodes', "option '--wait <secs>' argument 'x' is invalid. Expected seconds from 0 to 3600.", 'qmtcode --help'],
  ['a.toml --config b.toml', 'two configurations: a.toml and --config b.toml'],
  ['a.toml b.toml', "unknown command 'b.toml'"],
  ['nodes x', "too many arguments for 'nodes'. Expected 0 arguments but got 1: x."],
  ['config', 'config needs to know what: check or schema', 'qmtcode config check'],
  ['run --allow edti x', 'Expected permissions (read, edit, shell, web, mcp, outside), with commas between (did you mean "edit"?).'],
  ['sessions show abc', 'abc is not a session'],
  ['sessions show', "missing required argument 'session'"],
  ['attach gpu/ses_', "'gpu/ses_' is invalid for argument 'node'. Expected a session id (ses_…); to list them: qmtcode sessions"],
  [`attach gpu/${session} --new`, '--new begins a session: name the node alone'],
  ['attach --new', '--new begins a session: name the node alone'],
  ['attach gpu --agent a', '--agent is for --new: a session that is there keeps its own'],
  [`run --session ${session} --agent a x`, '--agent and --session exclude each other: a session keeps its agent'],
  [
    'peers admit gpu-server',
    'Expected a whole peer id (12D3KooW…): trust is for keys, not for names; to list them: qmtcode peers',
    'qmtcode peers admit --help',
  ],
  [`sessions share ${session} --as prompt`, "required option '--with <node>' not specified", 'qmtcode sessions share --help'],
  ['run --model gpt x', '--model gpt is no model: expected provider/model, or node:provider/model', 'to list them: qmtcode models'],
  ['--model gpt', '--model gpt is no model: expected provider/model, or node:provider/model'],
  [`peers role ${PEER_A} amdin`, 'Expected one of observer, client, member, admin (did you mean "admin"?).'],
]
for (const [line, message, hint] of errors) {
  test(`qmtcode ${line}: an error`, () => {
    assert.throws(
      () => parse(line),
      (error: unknown) => {
        assert.ok(error instanceof AppError)
        assert.equal(error.code, 'bad_request')
        assert.ok(error.message.endsWith(message), error.message)
        if (hint !== undefined) assert.equal(error.hint, hint)
        return true
      },
    )
  })
}

test('help names the commands, examples, exit codes and files, and what is not built', () => {
  const { invocation } = parse('--help')
  assert.equal(invocation.command, 'print')
  const text = invocation.command === 'print' ? invocation.text : ''
  for (const part of ['Examples:', 'Exit codes:', 'QMT_HOME', 'Not built yet: ', 'Work:', 'Mesh:', '--mesh [=multiaddr]'])
    assert.ok(text.includes(part), part)
  assert.doesNotMatch(text, /^ {2}(start|top) /m)
  assert.equal(parse('run --help').invocation.command, 'print')
  assert.deepEqual(parse('--version').invocation, { command: 'print', text: '1.2.3\n' })
})

for (const text of ['- fix a', '--help me', '-n is what? say it', '-- and so on']) {
  test(`a prompt that begins with a hyphen is a prompt: ${text}`, () => {
    const { invocation } = parseArguments(['run', '--json', '--agent', 'main', text], { version: '1' })
    assert.equal(invocation.command === 'run' && invocation.prompt, text)
  })
}
