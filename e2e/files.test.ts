import assert from 'node:assert/strict'
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { canRunAs, createMachine } from './support/qmt.ts'
import type { Finished, Machine, RunOptions } from './support/qmt.ts'

const SERVE = ['--headless', '--mesh=/ip4/127.0.0.1/tcp/0']
const RUN = ['run', '--model', 'builtin/demo', 'list files']

interface Refusal {
  /** Everything that the text must name: what is wrong, where, what to do. */
  says: (RegExp | string)[]
  code?: number
}

/** Nothing on stdout, no stack, and each of `says` on stderr. */
function assertRefused({ code, stdout, stderr }: Finished, { says, code: expected = 2 }: Refusal): void {
  assert.equal(code, expected, stderr)
  assert.equal(stdout, '')
  assert.match(stderr, /^error\[bad_config\]: /m)
  assert.doesNotMatch(stderr, /^\s+at /m)
  for (const said of says) {
    if (typeof said === 'string') assert.ok(stderr.includes(said), `${said} is not in:\n${stderr}`)
    else assert.match(stderr, said)
  }
}

const DAMAGED: { what: string; file: string; content: string | Buffer; mode?: number; args: string[][]; says: (RegExp | string)[] }[] = [
  {
    what: 'a session log that is text',
    file: 'sessions.db',
    content: 'no database at all\n'.repeat(50),
    args: [RUN, SERVE],
    says: [/is damaged/, /hint: .*mv .*sessions\.db/],
  },
  {
    what: 'an identity that is garbage',
    file: 'mesh_identity.key',
    content: 'garbage',
    args: [['identity'], SERVE],
    says: [/is corrupt/, /hint: .*restore it.*mv /],
  },
  {
    what: 'an identity that others may use',
    file: 'mesh_identity.key',
    content: 'any',
    mode: 0o644,
    args: [['identity'], SERVE],
    says: [/has mode 644/, /hint: chmod 600 /],
  },
  {
    what: 'known peers cut in the middle',
    file: 'known_peers.json',
    content: '{"version":1,"peers":{',
    args: [SERVE],
    says: [/is corrupt/, /hint: mend it/],
  },
  {
    what: 'known peers of an impossible id',
    file: 'known_peers.json',
    content: '{"version":1,"peers":{"x":{}}}',
    args: [SERVE],
    says: [/is corrupt at peers/, /hint: mend it/],
  },
  {
    what: 'a lock that is text',
    file: 'node.lock',
    content: 'no lock at all\n'.repeat(50),
    args: [['sessions']],
    says: [/cannot lock/, /hint: .*rm /],
  },
]
for (const { what, file, content, mode = 0o600, args, says } of DAMAGED) {
  test(`${what}: exit 2, its name and what to do; the file is left as it is`, async () => {
    await using machine = await createMachine()
    const path = join(machine.home, file)
    await writeFile(path, content, { mode })
    for (const command of args) {
      assertRefused(await machine.run(command), { says: [path, ...says] })
      assert.deepEqual(await readFile(path), Buffer.from(content))
      assert.equal((await stat(path)).mode & 0o777, mode)
    }
    await rm(path)
    assert.equal((await machine.run(['sessions'])).code, 0, 'works again without it')
  })
}

test('a directory where a file belongs: exit 2, and its name', async () => {
  for (const name of ['config.toml', 'sessions.db', 'node.lock', 'qmtcode.log']) {
    await using machine = await createMachine()
    await mkdir(join(machine.home, name))
    assertRefused(await machine.run(['sessions']), { says: [join(machine.home, name)] })
  }
})

test('a QMT_HOME that is a file, or lies below one: exit 2, and what to set', async () => {
  await using machine = await createMachine()
  const file = join(machine.workspace, 'a-file')
  await writeFile(file, 'precious')
  for (const home of [file, join(file, 'below')]) {
    for (const args of [['sessions'], ['identity']]) {
      assertRefused(await machine.run(args, { env: { QMT_HOME: home } }), { says: [home, /hint: set QMT_HOME/] })
    }
  }
  assert.equal(await readFile(file, 'utf8'), 'precious')
})

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0
const skip = isRoot && !canRunAs(NOBODY) && 'runs as root, in a clone that an ordinary user cannot read'

/** Root may write everywhere: what is about rights runs as nobody, on files that belong to nobody. */
async function asOrdinaryUser(machine: Machine): Promise<RunOptions> {
  if (!isRoot) return {}
  for (const path of [join(machine.home, '..'), machine.home, machine.workspace]) await chown(path, NOBODY, NOBODY)
  return { user: NOBODY }
}

test('a log that cannot be written is refused before any prompt, and is left as it is', { skip }, async () => {
  await using machine = await createMachine()
  const options = await asOrdinaryUser(machine)
  assert.equal((await machine.run(RUN, options)).code, 0)
  const log = join(machine.home, 'sessions.db')
  const before = await readFile(log)
  await chmod(log, 0o400)
  for (const args of [RUN, ['sessions']]) assertRefused(await machine.run(args, options), { says: [log, /readonly/, /hint: .*writable/] })
  assert.deepEqual(await readFile(log), before)
})

test('a home that cannot be written, or read, is refused', { skip }, async () => {
  await using machine = await createMachine()
  const options = await asOrdinaryUser(machine)
  await chmod(machine.home, 0o500)
  for (const args of [RUN, ['sessions']]) assertRefused(await machine.run(args, options), { says: [machine.home, /hint: .*write/] })
  await chmod(machine.home, 0o000)
  assertRefused(await machine.run(['sessions'], options), { says: [machine.home] })
  await chmod(machine.home, 0o700)
  assert.equal((await machine.run(['sessions'], options)).code, 0)
})

test('what a home holds is for its own user only', async () => {
  await using machine = await createMachine()
  const node = machine.start(SERVE)
  await node.line(/listening: /)
  assert.equal((await machine.run(RUN)).code, 0)
  for (const file of ['sessions.db', 'mesh_identity.key', 'known_peers.json', 'node.lock', 'node.json', 'node.sock', 'qmtcode.log']) {
    assert.equal((await stat(join(machine.home, file))).mode & 0o077, 0, file)
  }
})

test('a port that is taken: exit 2, the address, and what to do', async () => {
  await using machine = await createMachine()
  const holder = createServer()
  await using _ = { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => holder.close(() => resolve())) }
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  const address = `/ip4/127.0.0.1/tcp/${(holder.address() as AddressInfo).port}`
  assertRefused(await machine.run(['--headless', `--mesh=${address}`]), { says: [address, /is taken/, /hint: .*port 0/] })
  assertRefused(await machine.run(['--headless', '--mesh-listen', '/ip4/203.0.113.7/tcp/0']), { says: ['203.0.113.7', /no such address/] })
})

/** One of each kind; every message of every kind stands in the tests of the configuration. */
const BAD_CONFIGS: Record<string, [toml: string, place: string, ...says: (RegExp | string)[]]> = {
  'no TOML': ['[mesh]\nlisten = "/ip4', '2:10', /not TOML: unfinished string/],
  'an unknown key': ['[mesh]\nnodename = "a"', '2:1', /did you mean "node_name"/],
  'an unknown table': ['\n[messh]', '2:1', /did you mean "mesh"/],
  'a wrong type': ['[mesh]\nenabled = "yes"', '2:11', /expected true or false/],
  'a wrong value': ['[mesh]\ndiscovery = "mdsn"', '2:13', /did you mean "mdns"/],
  'a number out of range': ['[mesh]\nrequest_timeout_secs = 0', '2:24', /from 1 to 604800/],
  'a missing key': ['[[mesh.peers]]\naddr = "/ip4/10.0.0.1/tcp/1"', '1:1', /mesh\.peers\[0\]\.name: is missing/],
  'an impossible address': ['[[mesh.peers]]\nname = "a"\naddr = "10.0.0.1:9000"', '3:8', /did you mean "\/ip4\/10\.0\.0\.1\/tcp\/9000"/],
  'a name twice': ['[[delegates]]\nid = "d"\n[[delegates]]\nid = "d"', '4:6', /already the id of delegates\[0\]/],
  'a missing variable': ['[providers.openai]\napi_key = "${NO_SUCH_KEY}"', '2:11', /NO_SUCH_KEY is not set/],
}

test('each kind of error in the configuration: exit 2 with file, line and column', async () => {
  await using machine = await createMachine()
  for (const [kind, [toml, place, ...says]] of Object.entries(BAD_CONFIGS)) {
    const file = join(machine.workspace, 'team.toml')
    await writeFile(file, toml)
    const finished = await machine.run(['team.toml', 'run', 'hello'])
    assertRefused(finished, { says: [`team.toml:${place}: `, ...says] })
    assert.equal(await readFile(file, 'utf8'), toml, kind)
  }
})

test('all errors of a file at once, by every way to name it; none of them starts anything', async () => {
  await using machine = await createMachine()
  await machine.writeConfig('[mesh]\nenabled = 1\n[mesh.timeouts]\nidle = 1\n')
  const path = join(machine.home, 'config.toml')
  const says = [`${path}:2:11: mesh.enabled`, `${path}:4:1: mesh.timeouts.idle`, /hint: .*docs\/configuration\.md/]
  for (const args of [RUN, SERVE, ['sessions'], ['--config', path, 'nodes']]) assertRefused(await machine.run(args), { says })
  assertRefused(await machine.run(['--config', 'missing.toml', 'sessions']), { says: ['missing.toml', /no such file/] })
  await assert.rejects(stat(join(machine.home, 'sessions.db')), { code: 'ENOENT' })
})
