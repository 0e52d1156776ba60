import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import { diagnosticsJson, formatDiagnostic } from './diagnostics.ts'
import { qmtHomeOf } from './file-paths.ts'
import { checkConfig, loadConfig } from './load.ts'

const ID = '12D3KooWGC6tvWVEbLyNzTvq4bCg9UYRVWnLCfKFbTmzs4DWZy7X'

async function place(files: Record<string, string> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'qmt-config-'))
  const home = join(dir, 'home')
  await mkdir(home)
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text, { mode: 0o600 })
  const load = (argvFile?: string, env = {}) =>
    loadConfig({ argvFile, home, env: { HOME: '/home/ada', ...env }, cwd: dir }, { hostname: 'lap top!' })
  return { dir, home, load, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) }
}

const message = (pattern: RegExp) => (error: unknown) => isAppError(error, 'bad_config') && pattern.test(error.message)

test('the file of the command line comes before that of QMT_HOME, which comes before the defaults', async () => {
  await using at = await place()
  const none = await at.load()
  assert.equal(none.file, undefined)
  assert.deepEqual([none.config.mesh.enabled, none.config.mesh.defaultListen, none.config.mesh.nodeName], [false, true, 'lap-top-'])
  assert.equal(none.config.permissions.edit, 'ask')
  await writeFile(join(at.home, 'config.toml'), '[mesh]\nnode_name = "home"')
  assert.equal((await at.load()).config.mesh.nodeName, 'home')
  await writeFile(join(at.dir, 'mine.toml'), '[mesh]\nnode_name = "mine"')
  const mine = await at.load('mine.toml')
  assert.deepEqual([mine.config.mesh.nodeName, mine.file, mine.config.file], ['mine', join(at.dir, 'mine.toml'), join(at.dir, 'mine.toml')])
})

test('a file that is named has to be there, and to be a file', async () => {
  await using at = await place()
  await assert.rejects(at.load('absent.toml'), message(/^cannot read the configuration absent.toml: no such file$/))
  await assert.rejects(at.load('home'), message(/^cannot read the configuration home: it is a directory$/))
})

test('all errors come in one, with the name that the user gave the file', async () => {
  await using at = await place({ 'a.toml': '[mesh]\nenabled = 1\nlisten = 2' })
  await assert.rejects(at.load('./a.toml'), message(/^\.\/a\.toml:2:11: mesh\.enabled: .*\n\.\/a\.toml:3:10: mesh\.listen: .*$/))
})

test('a file in QMT_HOME is named by its path', async () => {
  await using at = await place({ 'home/config.toml': 'x = 1' })
  await assert.rejects(at.load(), message(/^home\/config\.toml:1:1: x: /))
})

test('[mesh] and [[mesh.peers]] enable the mesh unless the file says false', async () => {
  const peer = `[[mesh.peers]]\nname = "a"\npeer_id = "${ID}"`
  const files = { 'none.toml': '', 'table.toml': '[mesh]', 'peers.toml': peer, 'off.toml': `[mesh]\nenabled = false\n${peer}` }
  await using at = await place(files)
  const enabled = async (name: string) => (await at.load(`${name}.toml`)).config.mesh.enabled
  assert.deepEqual(await Promise.all(['none', 'table', 'peers', 'off'].map(enabled)), [false, true, true, false])
})

test('variables are filled in after parsing, in values of every kind of table, and never in keys', async () => {
  const toml = `[mesh]
node_name = "\${NODE}-\${ROLE:-worker}"
labels = ["\${LABEL}", "$\${LABEL}", "\${not a variable}"]
[agent]
system = "\${QUOTED}"
[providers."x.y"]
base_url = "\${URL:-http://127.0.0.1:1/v1}"
api_key = "\${EMPTY:-none}"
[[mcp]]
name = "m"
command = "m"
env = { "\${NODE}" = "\${NODE}" }
`
  await using at = await place({ 'a.toml': toml })
  const { config } = await at.load('a.toml', { NODE: 'gpu', LABEL: 'fast', QUOTED: 'a "b" \\ [c]\n', EMPTY: '' })
  assert.equal(config.mesh.nodeName, 'gpu-worker')
  assert.deepEqual(config.mesh.labels, ['fast', '${LABEL}', '${not a variable}'])
  assert.equal(config.agent?.system, 'a "b" \\ [c]\n')
  assert.deepEqual(config.providers['x.y'], { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'none' })
  assert.deepEqual(config.mcp[0]?.env, { '${NODE}': 'gpu' })
})

test('all missing variables are told in one error, each with its place', async () => {
  await using at = await place({ 'a.toml': '[mesh]\nnode_name = "${A}"\nlisten = ["${B}"]\n[agent]\nmodel = "${A}/${C}"' })
  await assert.rejects(at.load('a.toml'), (error) => {
    assert.ok(isAppError(error, 'bad_config'))
    const places = error.message.split('\n').map((line) => line.replace(/ environment variable (\w+) is not set.*/, ' $1'))
    const told = [
      'a.toml:2:13: mesh.node_name: A',
      'a.toml:3:11: mesh.listen[0]: B',
      'a.toml:5:9: agent.model: A',
      'a.toml:5:9: agent.model: C',
    ]
    assert.deepEqual(places, told)
    return true
  })
})

test('~ stands for the user’s home in every path of this machine; others are relative to the file', async () => {
  const toml = `[mesh]
identity_file = "~/keys/mesh.key"
[mesh.share]
workspaces = ["~", "~/work", "here", "/srv"]
[server]
tls_cert = "~/tls.pem"
tls_key = "tls.key"
[[agents]]
id = "a"
acp = ["~/bin/a", "~"]
[[remote_agents]]
id = "r"
peer = "any"
workspace = "~/theirs"
[[permissions.rule]]
tool = "read"
match = "~/notes/*"
action = "deny"
`
  await using at = await place({ 'a.toml': toml })
  const { config } = await at.load('a.toml')
  assert.equal(config.mesh.identityFile, '/home/ada/keys/mesh.key')
  assert.deepEqual(config.mesh.share.workspaces, ['/home/ada', '/home/ada/work', join(at.dir, 'here'), '/srv'])
  assert.deepEqual(config.server, { tlsCert: '/home/ada/tls.pem', tlsKey: join(at.dir, 'tls.key') })
  assert.deepEqual(config.acpAgents[0]?.acp, ['/home/ada/bin/a', '~'])
  assert.equal(config.remoteAgents[0]?.workspace, '~/theirs') // the peer's home, not ours
  assert.equal(config.permissions.rules[0]?.match, '~/notes/*') // the permissions read it
})

test('QMT_HOME is the variable, else ~/.qmt', () => {
  assert.equal(qmtHomeOf({ HOME: '/home/ada' }, '/work'), '/home/ada/.qmt')
  assert.equal(qmtHomeOf({ HOME: '/home/ada', QMT_HOME: '~/other' }, '/work'), '/home/ada/other')
  assert.equal(qmtHomeOf({ HOME: '/home/ada', QMT_HOME: 'nodes/b' }, '/work'), '/work/nodes/b')
})

test('peers get one address that says all that is known of them', async () => {
  const toml = `[[mesh.peers]]\nname = "a"\naddr = "/ip4/10.0.0.1/tcp/1"\npeer_id = "${ID}"
[[mesh.peers]]\nname = "b"\naddr = "/dns4/b/tcp/2"\n[[mesh.peers]]\nname = "c"\naddr = "/p2p/${ID}"`
  await using at = await place({ 'a.toml': toml })
  const { config } = await at.load('a.toml')
  assert.deepEqual(
    config.mesh.peers.map(({ addr, peerId }) => ({ addr, peerId })),
    [
      { addr: `/ip4/10.0.0.1/tcp/1/p2p/${ID}`, peerId: ID },
      { addr: '/dns4/b/tcp/2', peerId: undefined },
      { addr: undefined, peerId: ID },
    ],
  )
})

test('a key in a file that others may read is a warning; a variable is none', { skip: process.platform === 'win32' }, async () => {
  await using at = await place({ 'key.toml': '[providers.openai]\napi_key = "sk-1"', 'var.toml': '[providers.openai]\napi_key = "${K}"' })
  assert.deepEqual((await at.load('key.toml')).notices, [])
  for (const name of ['key.toml', 'var.toml']) await chmod(join(at.dir, name), 0o644)
  assert.deepEqual((await at.load('key.toml')).notices.map(formatDiagnostic), [
    'key.toml: warning: holds an api_key and others may read it: chmod 600 key.toml, or ${VAR}',
  ])
  assert.deepEqual((await at.load('var.toml', { K: 'sk-1' })).notices, [])
})

test('config check tells what a file says without throwing, as text and as one document', async () => {
  await using at = await place({ 'a.toml': '\uFEFF[mesh]\r\ndiscovery = "x"\r\n' })
  const components = { argvFile: 'a.toml', home: at.home, env: {}, cwd: at.dir }
  const { file, diagnostics } = await checkConfig(components)
  assert.deepEqual(diagnosticsJson(file, diagnostics), {
    file: join(at.dir, 'a.toml'),
    ok: false,
    errors: 1,
    warnings: 0,
    diagnostics: [
      {
        severity: 'error',
        file: 'a.toml',
        line: 2,
        column: 13,
        path: 'mesh.discovery',
        message: 'expected one of "mdns", "kademlia", "none", got "x"',
      },
    ],
  })
  assert.deepEqual(await checkConfig({ ...components, argvFile: undefined }), { diagnostics: [] })
})
