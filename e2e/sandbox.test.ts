import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import type { ScriptedLlm } from '@qmtcode/testing'
import { createMachine, ok, startHost } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'
import { guestConfig } from './support/two-machines.ts'

const PROVIDER_KEY = 'sk-the-provider-key'
const STRANGER = '12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA'

/** What a model tries that works for somebody else than the node's person: each prints `held` unless it came through. */
const ATTEMPTS: Record<string, string> = {
  'the key of the node': 'cat $QH/mesh_identity.key',
  'the configuration, with keys of providers': 'cat $QH/config.toml',
  'the log of all sessions': 'head -c 1 $QH/sessions.db',
  'the socket of the node': 'test -S $QH/node.sock',
  'its directory': 'ls $QH | grep .',
  'a provider key in the environment': 'env | grep sk-the',
  'a provider key in that of other processes': 'cat /proc/*/environ | grep -a sk-the',
  'a file of the home': 'cat $HOME/.ssh/id',
  'a temporary file of others': 'cat /tmp/*/.ssh/id',
  'a file beside the workspace': 'echo x > ../written && false', // into a home that the command has for itself
  'a file of the system': 'echo x > /etc/qmt-written',
  'trust in another peer': `QMT_HOME=$QH node $BIN peers admit ${STRANGER} --yes`,
  'an invite': 'QMT_HOME=$QH node $BIN peers invite --role admin --yes',
  'an end of the node': 'kill $NODE',
}

const BUILD = 'git init -q . && echo "{}" > package.json && npm -s ls && node -p 6*7 > out && cat out && echo ok > /tmp/x && cat /tmp/x'

async function createVictim(llm: ScriptedLlm, more = ''): Promise<Machine> {
  const machine = await createMachine({ OPENAI_API_KEY: PROVIDER_KEY })
  await machine.writeConfig(`
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
[agent]
model = "lab/test"
[providers.lab]
base_url = "${llm.url}"
api_key = "${PROVIDER_KEY}"
${more}`)
  await mkdir(join(dirname(machine.home), '.ssh'))
  await writeFile(join(dirname(machine.home), '.ssh', 'id'), 'SECRET')
  return machine
}

const BIN = join(import.meta.dirname, '..', 'packages', 'cli', 'bin', 'qmtcode.js')

const bubblewrap = spawnSync('/usr/bin/bwrap', ['--ro-bind', '/', '/', '--unshare-pid', '--proc', '/proc', 'true'])
const noSs = existsSync('/usr/bin/ss') || existsSync('/bin/ss') ? false : 'there is no ss of iproute2'
const skip = bubblewrap.status === 0 ? false : 'bubblewrap does not work here'

test("tools do not have the node's authority: what a model's command reaches of the node, its keys, the home", { skip }, async () => {
  const lines = Object.values(ATTEMPTS).map(
    (attempt, at) => `if (${attempt}) >/dev/null 2>&1; then echo came-${at}; else echo held-${at}; fi`,
  )
  const command = [`QH=$HOME/home BIN=${BIN} NODE=NODE_PID`, ...lines].join('\n')
  let node = 0
  await using llm = await startScriptedLlm((body, index) => {
    if (index === 0) return [{ tool: 'shell', input: { command: command.replace('NODE_PID', String(node)) } }]
    if (index === 1) return [{ tool: 'shell', input: { command: BUILD } }]
    return toolResults(body.messages)
  })
  await using machine = await createVictim(llm)
  const served = machine.start(['--headless', '--mesh'])
  await served.line(/listening: /)
  node = served.process.pid ?? 0
  const { stdout } = ok(await machine.run(['run', '--allow', 'shell', 'go']))
  const came = Object.keys(ATTEMPTS).filter((_, at) => !stdout.includes(`held-${at}\n`))
  assert.deepEqual(came, [], stdout)
  assert.match(stdout, /42\nok/)
  assert.equal(existsSync(join(machine.workspace, '..', 'written')), false)
  assert.equal(await readFile(join(machine.workspace, 'out'), 'utf8'), '42\n')
  assert.equal(served.process.exitCode, null)
})

/** All that the tools gave back. */
function toolResults(messages: readonly { role: string; content?: unknown }[] = []): string {
  return messages
    .filter(({ role }) => role === 'tool')
    .map(({ content }) => JSON.stringify(content).replaceAll(String.raw`\n`, '\n'))
    .join('\n')
}

const GUEST_TRIES =
  'echo made > proof.txt; (cat $QMT_HOME/config.toml || cat ../home/config.toml || cat ~/.ssh/id) && echo came; echo x > /dev/tcp/127.0.0.1/PORT && echo came'

test('shell = "sandbox" runs a peer\'s commands in the sandbox without a question, and without a network', { skip }, async () => {
  await using llm = await startScriptedLlm((body, index) => {
    const command = GUEST_TRIES.replace('PORT', new URL(llm.url).port)
    return index === 0 ? [{ tool: 'shell', input: { command } }] : toolResults(body.messages)
  })
  await using host = await createMachine()
  await using laptop = await createMachine()
  await mkdir(join(dirname(host.home), '.ssh'))
  await writeFile(join(dirname(host.home), '.ssh', 'id'), 'SECRET')
  const { address } = await startHost(host, {
    guest: await laptop.peerId(),
    share: `agents = ["*"]\nworkspaces = ["${host.workspace}"]\nshell = "sandbox"\n`,
    config: `[agent]\nmodel = "lab/test"\n[providers.lab]\nbase_url = "${llm.url}"\napi_key = "${PROVIDER_KEY}"\n`,
  })
  await laptop.writeConfig(guestConfig(address))
  const { stdout } = ok(await laptop.run(['run', '--node', 'gpu-server', 'go']))
  assert.doesNotMatch(stdout, /came/)
  assert.equal(await readFile(join(host.workspace, 'proof.txt'), 'utf8'), 'made\n')
})

/** Of a command that no sandbox holds. */
const TRUST_CHANGES: Record<string, string> = {
  'with --yes': `$QMT peers admit ${STRANGER} --yes`,
  'without what it inherited': `env -u QMTCODE_TOOL $QMT peers admit ${STRANGER} --yes`,
  'at a terminal of its own': `env -u QMTCODE_TOOL script -qec "$QMT peers admit ${STRANGER}" /dev/null`,
  'after its parent ended': `(setsid $QMT peers admit ${STRANGER} --yes > late 2>&1 &); while ! grep -q error late; do sleep 0.1; done; false`,
  'by an invite': 'env -u QMTCODE_TOOL $QMT invite --yes',
  'of a workspace': 'echo x > AGENTS.md; env -u QMTCODE_TOOL $QMT trust --yes',
  'of a ban': `env -u QMTCODE_TOOL $QMT peers ban ${STRANGER} --yes`,
}

test('a process that descends from the node changes no trust, also where there is no sandbox', { skip: noSs }, async () => {
  const lines = Object.values(TRUST_CHANGES).map((change, at) => `if ${change} >/dev/null 2>&1; then echo came-${at}; fi`)
  const command = [`export QMT_HOME=$HOME/home; QMT="${process.execPath} ${BIN}"`, ...lines, 'echo tried'].join('\n')
  await using llm = await startScriptedLlm((body, index) =>
    index === 0 ? [{ tool: 'shell', input: { command } }] : toolResults(body.messages),
  )
  await using machine = await createVictim(llm, '[permissions]\nsandbox = "off"')
  const served = machine.start(['--headless', '--mesh'])
  await served.line(/listening: /)
  const { stdout } = ok(await machine.run(['run', '--allow', 'shell', 'go']))
  assert.match(stdout, /tried/)
  assert.doesNotMatch(stdout, /came/)
  const listed = async () => ok(await machine.run(['peers', '--json'])).stdout
  assert.doesNotMatch(await listed(), new RegExp(STRANGER))
  ok(await machine.run(['peers', 'admit', STRANGER, '--yes']))
  assert.match(await listed(), new RegExp(STRANGER))
})

/** Whether a process of this machine has `word` in its command line. */
async function isRunning(word: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map(async (pid) => await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.some((line) => line.includes(word))
}

test('a command in the sandbox ends with the node, also when that is killed', { skip }, async () => {
  const word = `marker-${process.pid}`
  const command = `trap "" TERM HUP INT; setsid sh -c "while :; do sleep 0.2; done # ${word}" & echo > begun; wait`
  await using llm = await startScriptedLlm([[{ tool: 'shell', input: { command } }]])
  await using machine = await createVictim(llm)
  const run = machine.start(['run', '--allow', 'shell', 'go'])
  await eventually('the command runs', async () => existsSync(join(machine.workspace, 'begun')) && (await isRunning(word)))
  await run.kill('SIGKILL')
  await eventually('no process of it is left', async () => !(await isRunning(word)))
})
