import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import type { KnownPeer, PeerId, SessionId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { PEER_A, PEER_B, cli, fakeNode, offer, peerInfo, startCli } from './cli-kit.ts'
import { reservedLine } from '../output/mesh-lines.ts'
import { nodeColumns } from '../output/node-table.ts'
import { styleFor } from '../output/style.ts'
import { renderTable } from '../output/table.ts'
import { scriptedSessions } from './scripted-sessions.ts'

const PEER_C = '12D3KooWCCCCCCZZZZZZZZZZZZZZZZZZ123456789AbCdEfGhJkL' as PeerId
const json = async (argv: string[], node = fakeNode()): Promise<Record<string, unknown>[]> => {
  const { code, stdout, stderr } = await cli([...argv, '--json'], { node })
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Record<string, unknown>[]
}

const NODE_FIELDS =
  'name peerId self state trust role roleThere use relayed addresses rttMs bytesIn bytesOut labels models agents sessions load version'.split(
    ' ',
  )

test('nodes --json has every field of the contract, and this node first', async () => {
  const [self, gpu] = await json(['nodes'], fakeNode({ peers: [peerInfo({ role: 'client', rttMs: 1.5 })] }))
  for (const field of NODE_FIELDS) assert.ok(self && field in self, field)
  assert.equal(self?.['self'], true)
  assert.equal(gpu?.['rttMs'], 1.5)
  assert.equal(gpu?.['roleThere'], null)
})

test('nodes are the admitted and the used; peers are all, with those that only trust knows', async () => {
  const stranger = peerInfo({ name: 'stranger', peerId: PEER_C, trust: 'unknown', use: false })
  const banned: KnownPeer = {
    peerId: 'x'.repeat(50) as PeerId,
    trust: 'banned',
    use: false,
    source: 'person',
    addresses: ['/ip4/9.9.9.9/tcp/1'],
  }
  const node = fakeNode({ peers: [peerInfo(), stranger], known: [banned] })
  assert.deepEqual(
    (await json(['nodes'], node)).map((row) => row['name']),
    ['laptop', 'gpu-server'],
  )
  const peers = await json(['peers'], node)
  assert.deepEqual(
    peers.map((row) => [row['name'], row['trust']]),
    [
      ['gpu-server', 'admitted'],
      ['stranger', 'unknown'],
      ['', 'banned'],
    ],
  )
  for (const row of peers) for (const field of NODE_FIELDS) assert.ok(field in row, field)
})

test('models lists own and usable nodes; a node that does not answer is told of on stderr', async () => {
  const peers = [peerInfo(), peerInfo({ name: 'slow', peerId: PEER_C }), peerInfo({ name: 'no', use: false, peerId: PEER_A })]
  const offers = async (peer: PeerId) => {
    if (peer === PEER_C) throw new AppError('forbidden', 'not a client there', { hint: 'ask its person' })
    return [offer('openai/org/m:7b')]
  }
  const node = fakeNode({ peers, offers })
  const { code, stdout, stderr } = await cli(['models', '--json'], { node })
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(stdout), [
    { id: 'laptop:builtin/demo', node: 'laptop', provider: 'builtin', model: 'demo', slots: 8, inFlight: 1, state: 'up' },
    {
      id: 'gpu-server:openai/org/m:7b',
      node: 'gpu-server',
      provider: 'openai',
      model: offer('openai/org/m:7b').model,
      slots: 8,
      inFlight: 1,
      state: 'up',
    },
  ])
  assert.equal(stderr, 'slow: not a client there; ask its person\n')
})

test('agents shows the default model as it is, and nodes what was never reached', async () => {
  const { stdout } = await cli(['agents'])
  assert.match(stdout, /main +local +builtin\/demo \(default\) +laptop/)
  assert.match(stdout, /coder +delegate +default +gpu-server/)
  const node = fakeNode()
  const { peers } = node
  assert.ok(peers)
  const status = await peers.status()
  peers.status = async () => ({
    ...status,
    unmet: [{ name: 'far', address: '/ip4/10.0.0.9/tcp/1', problem: 'cannot reach far at /ip4/10.0.0.9/tcp/1: connection refused' }],
  })
  for (const command of ['nodes', 'peers', 'models']) {
    const { stderr } = await cli([command], { node })
    assert.equal(stderr, 'far at /ip4/10.0.0.9/tcp/1 was never reached: connection refused\n')
  }
})

test('what is wrong with a node stands whole below the table, named once; --json has it in the row', async () => {
  const refused = 'gpu-server has not admitted this node; on gpu-server, run: qmtcode peers admit ID'
  const away = peerInfo({ name: 'rack', peerId: PEER_C, state: 'offline', problem: 'no address is known' })
  const node = fakeNode({ peers: [peerInfo({ problem: refused }), away] })
  for (const command of ['nodes', 'peers']) {
    const { stdout, stderr } = await cli([command], { node })
    assert.equal(stderr, `${refused}\nrack: no address is known\n`)
    assert.match(stdout, /rack +12D3\w+ +offline/)
    assert.equal((await cli([command, '--json'], { node })).stderr, '')
  }
})

test('agents, routes and sessions keep the contract', async () => {
  const node = fakeNode()
  const agents = await json(['agents'], node)
  assert.deepEqual(agents[1], {
    id: 'coder',
    name: 'Coder',
    description: 'codes',
    node: 'laptop',
    peer: 'gpu-server',
    capabilities: ['gpu'],
    kind: 'delegate',
    model: null,
    foreign: false,
  })
  assert.deepEqual(await json(['routes'], node), [
    { agentId: 'coder', providerTarget: { kind: 'peer', peer: 'gpu-server' }, resolvedProviderNodeId: null, reason: 'configured' },
  ])
  node.sessions.add()
  const [session] = await json(['sessions'], node)
  for (const field of ['id', 'title', 'agent', 'node', 'peerId', 'state', 'workspace', 'createdAt', 'updatedAt', 'seq', 'followers']) {
    assert.ok(session && field in session, field)
  }
})

test('a table for a person is aligned, and a peer cannot draw in it', async () => {
  const node = fakeNode({ peers: [peerInfo({ name: 'evil\u001b[2J\nname' })] })
  const { stdout } = await cli(['nodes'], { node })
  assert.deepEqual(
    stdout.split('\n').map((line) => line.slice(0, 26).trimEnd()),
    ['NAME       PEER ID', 'laptop     12D3KooWAbCdEfG', 'evil name  12D3KooWAbCdEfZ', ''],
  )
})

test('sessions show prints what happened; delete removes it', async () => {
  const node = fakeNode({ script: async (turn) => turn.say(`answer to ${turn.prompt}`) })
  const { id } = node.sessions.add()
  await cli(['run', '--session', id, 'a question'], { node })
  const shown = await cli(['sessions', 'show', id], { node })
  assert.match(shown.stdout, /a title\n.*\n\nlaptop › a question\nanswer to a question\n$/)
  const events = await cli(['sessions', 'show', id, '--json'], { node })
  assert.equal(events.stdout.trimEnd().split('\n').length, 5)
  assert.equal((await cli(['sessions', 'delete', id], { node })).stdout, `${id} deleted\n`)
  const gone = await cli(['sessions', 'show', id], { node })
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /error\[not_found\]/)
})

test('a session id that two peers have is ambiguous, and both places are named', async () => {
  const base = fakeNode({ peers: [peerInfo(), peerInfo({ name: 'rack', peerId: PEER_C })] })
  const there = scriptedSessions(async () => {})
  const { id } = there.add()
  const node = { ...base, peers: base.peers && { ...base.peers, sessions: () => there } }
  for (const command of ['show', 'delete']) {
    const ran = await cli(['sessions', command, id], { node })
    assert.equal(ran.code, 2, ran.stderr)
    assert.match(ran.stderr, new RegExp(`error\\[ambiguous\\].*gpu-server/${id}, rack/${id}\\n.*NODE/ID`))
  }
  assert.equal((await there.get(id)).id, id)
})

test('commands of the mesh say so where there is none', async () => {
  for (const argv of [['nodes'], ['peers'], ['peers', 'ban', PEER_B, '--yes']]) {
    const { code, stderr } = await cli(argv, { node: fakeNode({ mesh: false }) })
    assert.equal(code, 2)
    assert.match(stderr, /the mesh is not enabled here\nhint: the qmtcode that runs here is no node/)
  }
  const others = { isUsed: () => false, untilUnused: async () => {} }
  const { stderr } = await cli(['nodes'], { node: { ...fakeNode({ mesh: false }), others } })
  assert.match(stderr, /hint: join one: qmtcode join; or start with --mesh: qmtcode --mesh nodes;/)
  assert.equal((await cli(['models'], { node: fakeNode({ mesh: false }) })).code, 0)
})

test('trust changes need a person at a terminal, or --yes', async () => {
  const node = fakeNode()
  const refused = await cli(['peers', 'admit', PEER_B], { node })
  assert.equal(refused.code, 4)
  assert.match(refused.stderr, /error\[forbidden\].*nobody sits at a terminal\nhint: in a script: --yes/)
  assert.deepEqual(node.changes, [])
  await cli(['peers', 'admit', PEER_B, '--yes', '--role', 'member', '--name', 'box'], { node })
  await cli(['peers', 'admit', PEER_B], { node, tty: true })
  await cli(['peers', 'role', PEER_B, 'admin'], { node, tty: true })
  await cli(['peers', 'forget', PEER_B], { node, tty: true })
  assert.deepEqual(node.changes, [`admit:member:box ${PEER_B}`, `admit ${PEER_B}`, `role:admin ${PEER_B}`, `forget ${PEER_B}`])
})

test('a name in a trust command is one that we gave, never one that a knocking peer claims', async () => {
  const known = (peerId: PeerId, source: KnownPeer['source']): KnownPeer => ({
    peerId,
    name: 'gpu',
    trust: 'admitted',
    use: false,
    source,
    addresses: [],
  })
  const node = fakeNode({ known: [known(PEER_C, 'knock'), known(PEER_B, 'config')] })
  await cli(['peers', 'use', 'gpu', '--off'], { node, tty: true })
  assert.deepEqual(node.changes, [`use:false ${PEER_B}`])
  const knock = await cli(['peers', 'use', 'gpu'], { node: fakeNode({ known: [known(PEER_C, 'knock')] }), tty: true })
  assert.equal(knock.code, 1)
  const two = await cli(['peers', 'use', 'gpu'], { node: fakeNode({ known: [known(PEER_C, 'pin'), known(PEER_B, 'config')] }), tty: true })
  assert.equal(two.code, 2)
  assert.match(two.stderr, /error\[ambiguous\].*names 2 peers/)
})

test('identity and config start no node', async () => {
  const over = { openNode: () => Promise.reject(new Error('opened')) }
  assert.equal((await cli(['identity'], { over })).stdout, `${PEER_A}\n`)
  assert.equal((JSON.parse((await cli(['identity', '--json'], { over })).stdout) as { peerId: string }).peerId, PEER_A)
  assert.deepEqual(JSON.parse((await cli(['config', 'schema'], { over })).stdout), { type: 'object' })
  const diagnostic = (severity: 'error' | 'notice', message: string) => ({
    severity,
    file: 'config.toml',
    line: 3,
    column: 1,
    path: 'mcp',
    message,
  })
  const checkConfig = async () => ({ file: '/x/config.toml', diagnostics: [diagnostic('notice', 'not built yet')] })
  const checked = await cli(['config', 'check'], { over: { ...over, checkConfig } })
  assert.equal(checked.stdout, '/x/config.toml: ok\n')
  assert.match(checked.stderr, /not built yet/)
  const wrong = { checkConfig: async () => ({ file: '/x/config.toml', diagnostics: [diagnostic('error', 'no')] }) }
  const bad = await cli(['config', 'check'], { over: wrong })
  assert.deepEqual([bad.code, bad.stdout], [2, '/x/config.toml: 1 error\n'])
  assert.match(bad.stderr, /^config\.toml:3:1: mcp: no\nhint: /)
  const document = await cli(['config', 'check', '--json'], { over: wrong })
  assert.equal(document.code, 2)
  assert.deepEqual(JSON.parse(document.stdout), {
    file: '/x/config.toml',
    ok: false,
    errors: 1,
    warnings: 0,
    diagnostics: [diagnostic('error', 'no')],
  })
  const missing = { checkConfig: () => Promise.reject(new AppError('bad_config', 'cannot read x.toml')) }
  assert.equal((await cli(['config', 'check'], { over: missing })).code, 2)
  const unread = await cli(['config', 'check', '--json'], { over: missing })
  assert.equal(unread.code, 2)
  assert.equal((JSON.parse(unread.stdout) as { ok: boolean }).ok, false)
})

test('what is not built yet is one line and exit 2', async () => {
  for (const argv of [['logs'], ['top'], ['--dashboard'], ['run', '--node', 'any', 'x']]) {
    const { code, stdout, stderr } = await cli(argv)
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^qmtcode .*: not built yet\n$/)
  }
})

test('options reach the node: which configuration, which flags, how long to wait', async () => {
  const lists = await cli(['a.toml', '--mesh', '--wait', '1', 'nodes'])
  assert.deepEqual(
    lists.opened.map(({ configPath, mesh, serve, waitMs }) => ({ configPath, mesh, serve, waitMs })),
    [{ configPath: 'a.toml', mesh: { enabled: true, addresses: [], listen: [], connect: [] }, serve: false, waitMs: 1_000 }],
  )
  // A call waits for its own peer; only lists wait for all.
  for (const argv of [['agents'], ['run', 'hello']]) {
    const [opened] = (await cli(argv)).opened
    assert.deepEqual([opened?.waitMs, opened?.dialWaitMs], [0, 5_000])
  }
})

test('without a terminal the node runs, says who it is and who comes, and ends by a signal', async () => {
  const node = fakeNode()
  const started = startCli(['--mesh'], { node })
  await started.seen(/default model: builtin\/demo \(\[agent\] model\)\n/)
  assert.equal(started.opened[0]?.serve, true)
  assert.match(started.stdout(), new RegExp(`^peer id: ${PEER_A}\nlistening: /ip4/127.0.0.1/tcp/9000/p2p/${PEER_A}\n`))
  await eventually('somebody watches', () => node.watchers() === 1)
  node.meshEvent({ type: 'peer.connected', at: 0, peerId: PEER_B, name: 'gpu\u001b[2J', address: '/ip4/1.2.3.4/tcp/5' })
  await started.seen(new RegExp(`peer connected: gpu \\(${PEER_B}\\) at /ip4/1.2.3.4/tcp/5\n`))
  node.meshEvent({ type: 'peer.knocked', at: 0, peerId: PEER_C, name: 'new', address: '/ip4/1.2.3.4/tcp/5' })
  await started.seen(new RegExp(`admission request: new .*qmtcode peers admit ${PEER_C}\n`))
  started.interrupt('SIGTERM')
  assert.equal(await started.code, 0)
  assert.equal(node.closed, 1)
  const second = startCli(['--headless', '--mesh'], { tty: true })
  await second.seen(/default model/)
  second.interrupt('SIGINT')
  assert.equal(await second.code, 130)
})

test('without a terminal and without a mesh there is nothing to run', async () => {
  const { code, stderr } = await cli([], { node: fakeNode({ mesh: false }) })
  assert.equal(code, 2)
  assert.match(stderr, /nothing to do: no terminal for a chat, and the mesh is not enabled/)
})

test('an invite beside a node that only dials: stop that one, and start it with --mesh', async () => {
  const node = fakeNode()
  const status = await node.status()
  node.status = async () => ({ ...status, listenAddresses: [] })
  const invite = async () => {
    throw new AppError('bad_request', 'this node listens nowhere', { hint: '--mesh-listen' })
  }
  if (node.trust) node.trust = { ...node.trust, invite }
  const { code, stderr } = await cli(['invite', '--yes'], { node })
  assert.equal(code, 2)
  assert.match(stderr, /hint: the qmtcode that runs here \(pid 42\) only dials: stop that one, and start it with --mesh$/m)
  node.status = async () => status
  assert.match((await cli(['invite', '--yes'], { node })).stderr, /hint: --mesh-listen$/m)
})

test('peers fit a terminal of sixty columns, with ids that name one peer each; eighty hold whole ids', async () => {
  const peers = [peerInfo({ name: 'a-long-name-of-a-machine' }), peerInfo({ peerId: PEER_C, trust: 'banned', use: false, role: 'member' })]
  for (const [width, isWhole] of [
    [60, false],
    [79, false],
    [80, true],
    [200, true],
  ] as const) {
    const lines = renderTable(nodeColumns(peers, styleFor(new PassThrough(), {}), { isOfPeers: true, width }), peers, { width })
    for (const line of lines) assert.ok(line.length <= width, `${line.length} > ${width}: ${line}`)
    assert.equal(lines.join().includes(PEER_C), isWhole, lines.join('\n'))
    assert.ok(lines.join().includes(PEER_C.slice(0, 14)))
  }
})

test('a question that is over is told in a line without why it was asked', () => {
  const question = {
    sessionId: 'ses_1' as SessionId,
    id: 'p',
    tool: 'shell',
    summary: 'run echo (a) (no sandbox here: all rights)',
    author: { node: 'x' },
  }
  assert.equal(reservedLine({ type: 'settled', question: question }), 'no longer asked: run echo (a) (ses_1)')
})
