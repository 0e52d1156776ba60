import assert from 'node:assert/strict'
import { readFile, readdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventsOf, eventsOfType } from './support/output.ts'
import { createMachine, startHost } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'
import { guestConfig } from './support/two-machines.ts'

interface Shared extends AsyncDisposable {
  laptop: Machine
  server: Machine
}

/** A server that shares its workspace with a laptop that runs commands only. */
async function startShared(share: (workspace: string) => string): Promise<Shared> {
  await using starting = new AsyncDisposableStack()
  const laptop = starting.use(await createMachine())
  const server = starting.use(await createMachine())
  const guest = await laptop.peerId()
  const { address } = await startHost(server, { guest, share: share(server.workspace) })
  await laptop.writeConfig(guestConfig(address))
  const started = starting.move()
  return { laptop, server, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

const shares = (workspace: string): string => `agents = ["*"]\nworkspaces = ["${workspace}"]\n`
const run = ['run', '--node', 'gpu-server', '--model', 'builtin/demo']

test('run --node works in the shared workspace of the server: reads, edits that the caller allows, no shell', async () => {
  await using pair = await startShared(shares)
  await writeFile(join(pair.server.workspace, 'notes.txt'), 'the launch code is tangerine\n')
  const read = await pair.laptop.run([...run, 'read notes.txt'])
  assert.equal(read.code, 0, read.stderr)
  assert.match(read.stdout, /tangerine/)
  const wrote = await pair.laptop.run([...run, '--json', '--allow', 'edit', 'create made.txt with hello and run echo no'])
  assert.equal(wrote.code, 0, wrote.stderr)
  assert.equal(await readFile(join(pair.server.workspace, 'made.txt'), 'utf8'), 'hello\n')
  const events = eventsOf(wrote.stdout)
  const [created] = eventsOfType(events, 'session.created')
  assert.deepEqual(created?.author, { peerId: await pair.laptop.peerId(), node: 'laptop' })
  assert.equal(created?.workspace, await realpath(pair.server.workspace))
  assert.deepEqual(
    eventsOfType(events, 'tool.started').map(({ name, node }) => [name, node]),
    [['write_file', 'gpu-server']],
  )
  assert.match(eventsOfType(events, 'message.completed').at(-1)?.text ?? '', /not offered/)
})

test('an agent of [[remote_agents]] works whole on its server: the files and commands there, none here', async () => {
  await using pair = await startShared((workspace) => `${shares(workspace)}shell = "ask"\n`)
  await writeFile(join(pair.server.workspace, 'notes.txt'), 'the launch code is tangerine\n')
  const config = await readFile(join(pair.laptop.home, 'config.toml'), 'utf8')
  const remote = (id: string, more = ''): string => `[[remote_agents]]\nid = "${id}"\npeer = "gpu-server"\n${more}`
  await pair.laptop.writeConfig(
    `${config}${remote('gpu-coder')}${remote('named', 'agent = "default"\n')}[[remote_agents]]\nid = "some"\npeer = "any"\n`,
  )
  for (const id of ['gpu-coder', 'named']) {
    const read = await pair.laptop.run(['run', '--agent', id, '--model', 'builtin/demo', '--json', 'read notes.txt'])
    assert.equal(read.code, 0, read.stderr)
    assert.deepEqual(
      eventsOfType(eventsOf(read.stdout), 'tool.started').map(({ name, node }) => [name, node]),
      [['read_file', 'gpu-server']],
    )
  }
  const shell = await pair.laptop.run(['run', '--agent', 'gpu-coder', '--model', 'builtin/demo', '--allow', 'shell', 'run touch here.txt'])
  assert.equal(shell.code, 4, shell.stderr)
  assert.match(shell.stderr, /only the person at gpu-server may allow shell/)
  assert.deepEqual(await readdir(pair.laptop.workspace), [])
  const any = await pair.laptop.run(['run', '--agent', 'some', 'hi'])
  assert.match(any.stderr, /runs on any node, and choosing one is not built yet/)
})

test('what the server does not share is refused with the key that would share it, exit 4', async () => {
  await using pair = await startShared(() => '')
  const ran = await pair.laptop.run([...run, 'list files'])
  assert.equal(ran.code, 4, ran.stderr)
  assert.match(ran.stderr, /workspaces = \["\/directory"\] in \[mesh\.share\]/)
})

test('a peer cannot allow itself the shell of the server', async () => {
  await using pair = await startShared((workspace) => `${shares(workspace)}shell = "ask"\n`)
  const allowed = await pair.laptop.run([...run, '--allow', 'shell', 'run id'])
  assert.equal(allowed.code, 4, allowed.stderr)
  assert.match(allowed.stderr, /only the person at gpu-server may allow shell/)
  const asked = await pair.laptop.run([...run, 'run id'])
  assert.equal(asked.code, 4, asked.stderr)
  assert.match(asked.stderr, /only the person at gpu-server may allow this/)
})

test('attach lists, begins and shows sessions of the server, also through the node that runs already; a third node sees nothing', async () => {
  await using laptop = await createMachine()
  await using server = await createMachine()
  await using other = await createMachine()
  const more = `[[mesh.peers]]\nname = "other"\npeer_id = "${await other.peerId()}"\nrole = "client"\nuse = false\n`
  const { address } = await startHost(server, { guest: await laptop.peerId(), share: shares(server.workspace), config: more })
  await laptop.writeConfig(guestConfig(address))
  await other.writeConfig(guestConfig(address).replace('"laptop"', '"other"'))
  const node = laptop.start(['--headless', '--mesh'])
  await node.line(/gpu-server.*connected|connected.*gpu-server/)

  const began = await laptop.run(['attach', 'gpu-server', '--new', '--model', 'builtin/demo', '--mode', 'plan'])
  assert.equal(began.code, 0, began.stderr)
  const id = began.stdout.trim()
  assert.match(id, /^ses_/)
  const watching = laptop.start(['attach', `gpu-server/${id}`, '--json'])
  const ran = await laptop.run(['run', '--node', 'gpu-server', '--session', id, 'list files'])
  assert.equal(ran.code, 0, ran.stderr)
  await watching.line(/"type":"turn\.ended"/)
  const shown = await laptop.run(['attach', `gpu-server/${id}`, '--no-follow', '--json'])
  assert.deepEqual(
    eventsOf(shown.stdout).map((event) => 'seq' in event && event.seq),
    eventsOf(shown.stdout).map((_, index) => index + 1),
  )
  const picked = await laptop.run(['attach', 'gpu-server'])
  assert.equal(picked.code, 2, picked.stderr)
  assert.match(picked.stderr, new RegExp(id))
  const listed = await laptop.run(['sessions', '--json'])
  const rows = JSON.parse(listed.stdout) as { id: string; node: string; mode: string; followers: string[] }[]
  assert.deepEqual(
    rows.map((row) => [row.id, row.node, row.mode, row.followers]),
    [[id, 'gpu-server', 'plan', ['laptop']]],
    listed.stderr,
  )

  const elsewhere = await other.run(['sessions', '--json'])
  assert.deepEqual(JSON.parse(elsewhere.stdout), [], elsewhere.stderr)
  const refused = await other.run(['attach', `gpu-server/${id}`, '--no-follow'])
  assert.equal(refused.code, 1, refused.stderr)
  assert.match(refused.stderr, /not_found/)
})
