import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDiagnostic } from './diagnostics.ts'
import type { Environment } from './environment.ts'
import { readConfig } from './read.ts'

const ID = '12D3KooWGC6tvWVEbLyNzTvq4bCg9UYRVWnLCfKFbTmzs4DWZy7X'
const OTHER = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'

function said(toml: string, env: Environment = {}): string[] {
  return readConfig(toml, { file: 'qmt.toml', env }).diagnostics.map(formatDiagnostic)
}

const delegate = (rest: string) => `[[delegates]]\nid = "d"\n${rest}`
const remote = '[mesh]\n[[mesh.peers]]\nname = "gpu-server"\naddr = "/ip4/10.0.0.1/tcp/9000"\n'

const BAD: Record<string, [toml: string, ...messages: string[]]> = {
  'syntax: an open string': ['[mesh]\nlisten = "/ip4', 'qmt.toml:2:10: not TOML: unfinished string'],
  'syntax: text without quotes': ['listen = /ip4/', 'qmt.toml:1:10: not TOML: invalid value (text stands in quotes: key = "text")'],
  'syntax: a key twice': [
    '[mesh]\nenabled = true\nenabled = true',
    'qmt.toml:3:1: not TOML: trying to redefine an already defined table or value',
  ],
  'syntax: a key that is no plain key': ['[__proto__]\na = 1', 'qmt.toml:1:2: not TOML: document contains an unsafe property'],
  'unknown table': ['[messh]', 'qmt.toml:1:1: messh: unknown table or key (did you mean "mesh"?)'],
  'unknown key': ['[mesh]\nnodename = "a"', 'qmt.toml:2:1: mesh.nodename: unknown key (did you mean "node_name"?)'],
  'unknown key like no other': [
    '[mesh.timeouts]\nzzz = 1',
    'qmt.toml:2:1: mesh.timeouts.zzz: unknown key; known here: first_token_secs, idle_secs',
  ],
  'a key under the wrong table': [
    `${remote}discovery = "none"`,
    'qmt.toml:5:1: mesh.peers[0].discovery: unknown here: it belongs to [mesh], and TOML gives a key to the table above it',
  ],
  'a key of another table': ['[mesh]\napi_key = "x"', 'qmt.toml:2:1: mesh.api_key: unknown here: it belongs to [providers.NAME]'],
  'a table inside another': ['[mesh.providers]', 'qmt.toml:1:1: mesh.providers: unknown here: the table is [providers.NAME]'],
  'wrong type': ['[mesh]\nenabled = "yes"', 'qmt.toml:2:11: mesh.enabled: expected true or false, got a string'],
  'wrong type: a number as text': [
    '[mesh]\nrequest_timeout_secs = "300"',
    'qmt.toml:2:24: mesh.request_timeout_secs: expected a whole number, got a string',
  ],
  'wrong type: neither one nor many': [
    '[mesh]\nlisten = 9000',
    'qmt.toml:2:10: mesh.listen: expected a string or a list of strings, got 9000',
  ],
  'wrong type: one where many are expected': ['[mesh]\nlabels = "gpu"', 'qmt.toml:2:10: mesh.labels: expected a list, got a string'],
  'wrong type: a value for a table': ['mesh = true', 'qmt.toml:1:8: mesh: expected a table, got true'],
  'wrong type: one table for a list of them': ['[delegates]\nid = "a"', 'qmt.toml:1:1: delegates: expected a list, got a table'],
  'wrong type: a date': ['[mesh]\nnode_name = 2024-01-01', 'qmt.toml:2:13: mesh.node_name: no key takes a date: put the text in quotes'],
  'missing key': ['[[mesh.peers]]\naddr = "/ip4/10.0.0.1/tcp/1"', 'qmt.toml:1:1: mesh.peers[0].name: is missing: expected a string'],
  'missing choice': [
    '[[permissions.rule]]\ntool = "shell"',
    'qmt.toml:1:1: permissions.rule[0].action: is missing: expected one of "allow", "ask", "deny"',
  ],
  'bad choice': [
    '[mesh]\ndiscovery = "mdsn"',
    'qmt.toml:2:13: mesh.discovery: expected one of "mdns", "kademlia", "none", got "mdsn" (did you mean "mdns"?)',
  ],
  'bad choice in a list': [
    '[mesh]\ndiscovery = ["none", "dht"]',
    'qmt.toml:2:13: mesh.discovery: "none" stands alone',
    'qmt.toml:2:22: mesh.discovery[1]: expected one of "mdns", "kademlia", "none", got "dht"',
  ],
  'bad range': ['[mesh]\nrequest_timeout_secs = 0', 'qmt.toml:2:24: mesh.request_timeout_secs: expected a number from 1 to 604800, got 0'],
  'bad range: not whole': ['[agent.limits]\nmax_steps = 1.5', 'qmt.toml:2:13: agent.limits.max_steps: expected a whole number, got 1.5'],
  'bad range: not finite': [
    '[agent.limits]\nmax_steps = inf',
    'qmt.toml:2:13: agent.limits.max_steps: expected a whole number, got Infinity',
  ],
  'empty text': ['[mesh]\nidentity_file = ""', 'qmt.toml:2:17: mesh.identity_file: expected text, got an empty string'],
  'empty list': ['[[agents]]\nid = "a"\nacp = []', 'qmt.toml:3:7: agents[0].acp: expected at least one item, got an empty list'],
  'bad node name': [
    '[mesh]\nnode_name = "a:b"',
    'qmt.toml:2:13: mesh.node_name: expected a node name (letters, digits, _ . -, at most 63), got "a:b"',
  ],
  'bad address': [
    '[mesh]\nlisten = ["/ip4/0.0.0.0/tcp/9000", "0.0.0.0:9001"]',
    'qmt.toml:2:36: mesh.listen[1]: "0.0.0.0:9001": not a multiaddr: it begins with "/" (did you mean "/ip4/0.0.0.0/tcp/9001"?)',
  ],
  'impossible address to dial': [
    '[[mesh.peers]]\nname = "a"\naddr = "/ip4/10.0.0.1"',
    'qmt.toml:3:8: mesh.peers[0].addr: "/ip4/10.0.0.1": it names no port: expected /tcp/PORT or /udp/PORT/quic-v1 (did you mean "/ip4/10.0.0.1/tcp/9000"?)',
  ],
  'a peer that nobody can find': [
    '[[mesh.peers]]\nname = "a"',
    'qmt.toml:1:1: mesh.peers[0]: needs addr, peer_id or both: without them nobody can find it',
  ],
  'a peer called any': [
    '[[mesh.peers]]\nname = "any"\npeer_id = "' + ID + '"',
    'qmt.toml:2:8: mesh.peers[0].name: "any" stands for every peer and names none',
  ],
  'a peer id that is none': [
    '[[mesh.peers]]\nname = "a"\npeer_id = "12D3KooWshort"',
    'qmt.toml:3:11: mesh.peers[0].peer_id: "12D3KooWshort": not a peer id: 13 characters, expected 52 (12D3KooW…); a short form is no identity here',
  ],
  'two peer ids that differ': [
    `[[mesh.peers]]\nname = "a"\naddr = "/ip4/10.0.0.1/tcp/1/p2p/${ID}"\npeer_id = "${OTHER}"`,
    `qmt.toml:4:11: mesh.peers[0].peer_id: differs from the /p2p of addr (${ID}): keep the right one`,
  ],
  'duplicate peer name': [
    `${remote}[[mesh.peers]]\nname = "gpu-server"\npeer_id = "${ID}"`,
    'qmt.toml:6:8: mesh.peers[1].name: "gpu-server" is already the name of mesh.peers[0]',
  ],
  'duplicate agent id': [`${delegate('')}\n[planner]\nid = "d"`, 'qmt.toml:2:6: delegates[0].id: "d" is already the id of planner'],
  'the id of the built-in agent': [
    '[[delegates]]\nid = "default"',
    'qmt.toml:2:6: delegates[0].id: "default" is the id of the built-in agent',
  ],
  'the id that a table has by itself': [
    '[planner]\n[[delegates]]\nid = "planner"',
    'qmt.toml:3:6: delegates[0].id: "planner" is the id of [planner]',
  ],
  'two default agents': [
    '[agent]\n[planner]',
    'qmt.toml:2:1: planner: [agent] and [planner] are two words for the default agent: keep one',
  ],
  'a provider without a model': [delegate('provider = "anthropic"'), 'qmt.toml:3:1: delegates[0].provider: needs a model beside it'],
  'a model without a provider': [
    delegate('model = "gpt"'),
    'qmt.toml:3:9: delegates[0].model: expected provider/model or a provider beside it, got "gpt"',
  ],
  'two nodes for one agent': [
    `${remote}${delegate('model = "gpu-server:ollama/qwen3"\npeer = "any"')}`,
    'qmt.toml:8:8: delegates[0].peer: differs from the node of model "gpu-server:ollama/qwen3": keep one',
  ],
  'an unknown provider with no server': [
    '[providers.antropic]\napi_key = "k"',
    'qmt.toml:1:1: providers.antropic: needs base_url: the server of an OpenAI-compatible provider of its own name (did you mean "anthropic"?)',
  ],
  'a bad provider name': [
    '[providers."a b"]\nbase_url = "http://a"',
    'qmt.toml:1:1: providers."a b": expected a provider name of letters, digits, _ . -, at most 60',
  ],
  'a missing MCP server': [
    delegate('mcp = ["gti"]\n[[mcp]]\nname = "git"\ncommand = "x"'),
    'qmt.toml:3:1: delegates[0].mcp: not built yet',
    'qmt.toml:3:8: delegates[0].mcp[0]: "gti" is not the name of one of [[mcp]] (did you mean "git"?)',
    'qmt.toml:4:1: mcp: not built yet',
  ],
  'a missing variable': [
    '[mesh]\nnode_name = "${NAME}"',
    'qmt.toml:2:13: mesh.node_name: environment variable NAME is not set (a default: ${NAME:-…})',
  ],
}
for (const [title, [toml, ...messages]] of Object.entries(BAD)) {
  test(title, () => assert.deepEqual(said(toml).toSorted(), messages.toSorted()))
}

test('all errors of a file are told at once, in its order', () => {
  const toml = '[mesh]\nenabled = 1\nlisten = "x"\n[mesh.timeouts]\nidle = 1\n[[delegates]]\nmodel = "${M}"\npeer = "${P}"\n[other]\n'
  assert.deepEqual(
    said(toml).map((line) => line.split(':').slice(0, 4).join(':')),
    [
      'qmt.toml:2:11: mesh.enabled',
      'qmt.toml:3:10: mesh.listen',
      'qmt.toml:5:1: mesh.timeouts.idle',
      'qmt.toml:6:1: delegates[0].id',
      'qmt.toml:7:9: delegates[0].model',
      'qmt.toml:8:8: delegates[0].peer',
      'qmt.toml:9:1: other',
    ],
  )
})

test('no message holds a secret: not a key, not a line, not what a variable stands for', () => {
  const secret = 'sk-secret'
  const env = { SECRET: secret }
  const files = [
    `[providers.openai]\napi_key = "${secret}`,
    `[providers.openai]\napi_key = ["${secret}"]`,
    `[providers.openai]\napi_kye = "${secret}"`,
    `[providers]\nopenai = "${secret}"`,
    `[providers.x]\nbase_url = "ftp://me:${secret}@x"`,
    `[mesh]\ninvite = { a = "${secret}" }`,
    '[mesh]\ndiscovery = "${SECRET}"\nlisten = "${SECRET}"\nnode_name = "no ${SECRET}"\ntrust = "${SECRET}"',
    '[[mesh.peers]]\nname = "a"\naddr = "${SECRET}"\npeer_id = "${SECRET}"\nrole = "${SECRET}"',
    '[[mesh.peers]]\nname = "${SECRET}"\naddr = "/tcp/1"\n[[mesh.peers]]\nname = "${SECRET}"',
    '[[delegates]]\nid = "a"\nmodel = "${SECRET}"\npeer = "${SECRET}"\ntools = ["${SECRET}"]\nmcp = ["${SECRET}"]',
    '[mesh.share]\nmodels = ["${SECRET}"]\n[mesh.nat]\nannounce = ["${SECRET}"]',
  ]
  for (const toml of files) {
    const lines = said(toml, env)
    assert.notEqual(lines.length, 0, toml)
    assert.ok(!lines.join('\n').includes(secret), lines.join('\n'))
  }
})

test('a value from the environment is shown as it is written', () => {
  assert.deepEqual(said('[[mesh.peers]]\nname = "a"\naddr = "${GPU}"', { GPU: 'gpu:9000' }), [
    'qmt.toml:3:8: mesh.peers[0].addr: expected a multiaddr to dial, got what "${GPU}" stands for',
  ])
})

const WARNED: Record<string, [toml: string, ...messages: string[]]> = {
  'a peer that is not listed': [
    `${remote}${delegate('model = "a/b"\npeer = "gpu-sever"')}`,
    'qmt.toml:8:8: warning: delegates[0].peer: "gpu-sever" is not the name of one of [[mesh.peers]] (did you mean "gpu-server"?)',
  ],
  'a node of a model that is not listed': [
    `${remote}${delegate('model = "gpu:a/b"')}`,
    'qmt.toml:7:9: warning: delegates[0].model: "gpu" is not the name of one of [[mesh.peers]]',
  ],
  'a provider that has no table': [
    delegate('provider = "antropic"\nmodel = "claude"'),
    'qmt.toml:3:12: warning: delegates[0].provider: no provider "antropic" is known here; it needs a table [providers.antropic] (did you mean "anthropic"?)',
  ],
  'a tool that is none': [
    delegate('tools = ["edit", "write-file", "git.log"]'),
    'qmt.toml:3:18: warning: delegates[0].tools[1]: no tool is called "write-file" (did you mean "write_file"?); there are read_file, list_files, search_text, edit, write_file, shell, question, board_read, board_write',
  ],
  'a peer with the name of this node': [
    remote.replace('[mesh]', '[mesh]\nnode_name = "gpu-server"'),
    "qmt.toml:4:8: warning: mesh.peers[0].name: is also this node's own node_name",
  ],
}
for (const [title, [toml, ...messages]] of Object.entries(WARNED)) {
  test(`a warning: ${title}`, () => assert.deepEqual(said(toml), messages))
}

test('a peer id, any, or a name that is listed need no warning', () => {
  for (const peer of [ID, 'gpu-server']) assert.deepEqual(said(`${remote}${delegate(`model = "a/b"\npeer = "${peer}"`)}`), [])
  assert.deepEqual(said(`${remote}${delegate('model = "gpu-server:ollama/qwen3:8b"')}`), [])
  assert.deepEqual(said(delegate('model = "ollama/qwen3:8b"')), [])
})

const RELAYED = `/ip4/10.0.0.1/tcp/9000/p2p/${ID}/p2p-circuit/p2p/${ID}`

test('what is not built yet is said once for each key, at its first use; off and default are not', () => {
  const toml = `[mesh]
listen = ["/udp/9000/quic", "/udp/9001/quic"]
discovery = "none"
auto_fallback = false
trust = "open"
[mesh.nat]
upnp = true
[mesh.share]
models = ["*"]
agents = []
shell = "no"
slots = 2
[[mesh.peers]]
name = "a"
addr = "${RELAYED}"
[[mcp]]
name = "git"
command = "git-mcp"
[[mcp]]
name = "web"
url = "https://example.org"
[agent]
model = "builtin/demo"
verify = "npm test"
limits = { max_steps = 5, max_tokens = 10 }
[permissions]
web = "deny"
`
  assert.deepEqual(said(toml), [
    'qmt.toml:12:1: mesh.share.slots: not built yet',
    'qmt.toml:16:1: mcp: not built yet',
    'qmt.toml:24:1: agent.verify: not built yet',
    'qmt.toml:25:27: agent.limits.max_tokens: not built yet',
    'qmt.toml:27:1: permissions.web: not built yet',
  ])
})

test('every table of the design parses', () => {
  const toml = `[mesh]
enabled = false
listen = ["/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"]
discovery = ["mdns", "kademlia"]
auto_fallback = true
request_timeout_secs = 60
stream_reconnect_grace_secs = 0
node_name = "laptop"
identity_file = "~/keys/mesh.key"
labels = ["laptop"]
trust = "known"
invite = "\${INVITE:-qmt://mesh/join/x}"
timeouts = { first_token_secs = 10, idle_secs = 5 }
[mesh.nat]
announce = "/ip4/203.0.113.7/tcp/9000"
relay = "client"
relays = ["/ip4/203.0.113.8/tcp/9000/p2p/${ID}"]
serve = true
upnp = false
[mesh.share]
models = ["anthropic/*"]
agents = ["coder"]
workspaces = ["~/work"]
sessions = "all"
shell = "sandbox"
mcp = true
delegate = true
slots = 4
queue = 8
tokens_per_day = 1_000_000
[[mesh.peers]]
name = "gpu"
addr = "/ip4/10.0.0.1/tcp/9000/p2p/${ID}"
peer_id = "${ID}"
role = "member"
use = false
labels = ["gpu"]
request_timeout_secs = 10
[[remote_agents]]
id = "there"
peer = "gpu"
agent = "coder"
workspace = "~/work"
[planner]
model = "gpu:anthropic/claude"
[[delegates]]
id = "d"
provider = "local"
model = "qwen/qwen3"
description = "d"
peer = "any"
tools = ["edit"]
capabilities = ["fast"]
system = "Be brief."
mcp = ["git"]
limits = { max_steps = 3, max_tokens = 1000, max_cost_usd = 0.5, idle_secs = 60, max_depth = 1 }
verify = "npm test"
on_lost = "fail"
[[agents]]
id = "other"
acp = ["~/bin/other", "--acp"]
[providers.local]
kind = "openai-compatible"
base_url = "http://127.0.0.1:8000/v1"
api_key = "none"
[permissions]
read = "allow"
edit = "allow"
shell = "ask"
web = "ask"
mcp = "ask"
outside = "deny"
web_private = "deny"
[[permissions.rule]]
tool = "shell"
match = "git status*"
action = "allow"
[[mcp]]
name = "git"
command = "git-mcp"
args = ["-v"]
env = { TOKEN = "\${T:-}" }
[server]
tls_cert = "a.pem"
tls_key = "b.pem"
`
  const { value, diagnostics } = readConfig(toml, { file: 'qmt.toml', env: {} })
  assert.deepEqual(diagnostics.filter(({ severity }) => severity !== 'notice').map(formatDiagnostic), [])
  assert.ok(value)
})
