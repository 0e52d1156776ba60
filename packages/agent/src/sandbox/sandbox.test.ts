import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { createToolKit } from '../tools/tool-kit.ts'
import type { ToolKit } from '../tools/tool-kit.ts'
import { createSandbox } from './sandbox.ts'

/** Why this machine cannot show what a sandbox does. */
async function whyNone(): Promise<string | false> {
  await using kit = await createToolKit({ ...process.env, HOME: '/' }, { confined: true })
  const { confinement } = kit.workspace
  return confinement.kind === 'none' && confinement.why
}
const skip = await whyNone()

/** A person's home at `base`, with a key, a setting and a program; `home` below it is QMT_HOME. */
async function createConfinedKit(options: { forGuest?: boolean } = {}): Promise<ToolKit> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'qmt-person-')))
  await mkdir(join(base, '.ssh'))
  await writeFile(join(base, '.ssh', 'id'), 'SECRET')
  await mkdir(join(base, 'tool', 'bin'), { recursive: true })
  await writeFile(join(base, 'tool', 'bin', 'greet'), '#!/bin/sh\necho hello\n', { mode: 0o755 })
  const env = { ...process.env, HOME: base, PATH: `${join(base, 'tool', 'bin')}:${process.env['PATH']}` }
  const kit = await createToolKit(env, { confined: true, ...options })
  await writeFile(join(kit.base, 'home', 'key'), 'SECRET')
  const dispose = kit[Symbol.asyncDispose].bind(kit)
  return {
    ...kit,
    [Symbol.asyncDispose]: async () => {
      await dispose()
      await rm(base, { recursive: true, force: true })
    },
  }
}

const FORBIDDEN: Record<string, string> = {
  'QMT_HOME by its path': 'cat $BASE/home/key',
  'QMT_HOME through a link': 'ln -s $BASE/home link; cat link/key',
  'what lies in QMT_HOME': 'ls $BASE/home | grep .',
  'a file in the home': 'cat ~/.ssh/id',
  'a file in the temporary directory': 'cat $BASE/secret',
  'the environment of the node': 'cat /proc/$NODE/environ',
  'the environment of any process': `grep -l ${process.pid} /proc/[0-9]*/stat; grep -lz SECRET_OF_NODE /proc/*/environ`,
  'memory of the node': 'head -c 1 /proc/$NODE/mem',
  'files through the node': 'cat /proc/$NODE/root$BASE/secret',
  'a signal to the node': 'kill -0 $NODE',
  'writing beside the workspace': 'echo x > $BASE/other/written',
  'writing into the system': 'echo x > /etc/qmt-written',
  'removing from the system': 'rm /etc/hostname',
  'an override of the mounts': 'mount -o remount,rw / || umount $BASE/home',
  'new mounts with new rights': 'unshare -Urm sh -c "umount $BASE/home && cat $BASE/home/key"',
  'a setting of the kernel': 'f=/proc/sys/kernel/core_pattern; cat $f > /tmp/same && cat /tmp/same > $f',

  'sockets of services': 'ls /run /var/run | grep -v : | grep -v resolv | grep -v systemd | grep .',
  'a device': 'mknod disk b 8 0 || ls /dev/sd* /dev/vd* /dev/nvme* /dev/kvm',
  'a terminal': 'echo x > /dev/tty',
  'passwords of accounts, also for root': 'cat /etc/shadow /etc/shadow- /etc/gshadow | grep .',
}

for (const [what, command] of Object.entries(FORBIDDEN)) {
  test(`tools do not have the node's authority: out of reach of a command is ${what}`, { skip }, async () => {
    await using kit = await createConfinedKit()
    await writeFile(join(kit.base, 'secret'), 'SECRET')
    await mkdir(join(kit.base, 'other'))
    const given = `BASE=${kit.base}; NODE=${process.pid}`
    const result = await kit.call('shell', { command: `${given}; ${command}` })
    assert.equal(result.isError, true, result.output)
    assert.doesNotMatch(result.output, /SECRET$|^SECRET/m)
    assert.deepEqual(await readdir(join(kit.base, 'other')), [])
  })
}

const WORKS: Record<string, [command: string, output: RegExp]> = {
  'a file of the workspace is written': ['echo yes > a && cat a', /^yes$/m],
  'temporary files': ['f=$(mktemp) && echo yes > $f && cat $f && test $TMPDIR = /tmp', /^yes$/m],
  'files in the home, for the command': ['mkdir -p ~/.cache && echo yes > ~/.cache/x && cat ~/.cache/x', /^yes$/m],
  'a program of the home that PATH names': ['greet', /^hello$/m],
  git: ['git init -q . && echo a > a && git add a && git -c user.name=n -c user.email=e commit -qm first && git log --oneline', /first/],
  node: ['node -e "console.log(6*7)"', /^42$/m],
  npm: ['echo \'{"scripts":{"t":"echo ran"}}\' > package.json && npm run -s t', /^ran$/m],
  'its exit code': ['exit 7', /\[exit code 7\]/],
  'its own processes': ['sleep 100 & kill -0 $! && echo yes', /^yes$/m],
  pipes: ['cat <(echo yes)', /^yes$/m],
}
for (const [what, [command, output]] of Object.entries(WORKS)) {
  test(`in the sandbox a command has ${what}`, { skip }, async () => {
    await using kit = await createConfinedKit()
    assert.match((await kit.call('shell', { command })).output, output)
  })
}

test('a directory on the way to what is closed cannot be renamed, so that it stays closed', { skip }, async () => {
  await using kit = await createToolKit({ ...process.env, HOME: '/' })
  await mkdir(join(kit.workspace.root, 'a', 'b', 'qmt'), { recursive: true })
  await kit.write('a/b/qmt/key', 'SECRET')
  const sandbox = createSandbox({ env: {} }, { closed: [join(kit.workspace.root, 'a/b/qmt')] })
  const { root, outputDir } = kit.workspace
  for (const command of ['cat a/b/qmt/key', 'mv a c', 'mv a/b a/c', 'mv a/b/qmt a/b/q', 'echo x > a/b/qmt/key']) {
    const confinement = await sandbox.confine({ root, outputDir, forGuest: false })
    const held = { ...kit.workspace, confinement }
    Object.assign(kit.workspace, held)
    assert.equal((await kit.call('shell', { command })).isError, true, command)
  }
  assert.equal(await kit.read('a/b/qmt/key'), 'SECRET')
})

test('a guest has no network, not even that of this machine', { skip }, async () => {
  const server = createServer((socket) => socket.end('reached\n')).listen(0, '127.0.0.1')
  try {
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const command = `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`
    await using guest = await createConfinedKit({ forGuest: true })
    assert.equal((await guest.call('shell', { command })).isError, true)
    await using own = await createConfinedKit()
    assert.match((await own.call('shell', { command })).output, /^reached/)
  } finally {
    server.close()
  }
})

test('where a sandbox would protect nothing, it is not claimed', async () => {
  await using kit = await createToolKit({ ...process.env, HOME: '/' })
  const { root, outputDir } = kit.workspace
  const confine = async (home: string, closed: string[], at = root) => {
    const confinement = await createSandbox({ env: { HOME: home } }, { closed }).confine({ root: at, outputDir, forGuest: false })
    return confinement.kind === 'none' ? confinement.why : 'sandbox'
  }
  if (skip !== false) return
  assert.match(await confine(root, []), /holds your home/)
  assert.match(await confine(join(root), [], '/'), /holds your home/)
  assert.match(await confine('/', [kit.base]), /among the files of qmtcode/)
  await symlink('/etc', join(kit.base, 'link'))
  assert.match(await confine('/', [], join(kit.base, 'link')), /has moved/)
  const off = await createSandbox({ env: {} }, { mode: 'off', closed: [] }).confine({ root, outputDir, forGuest: false })
  assert.deepEqual(off, { kind: 'none', why: '[permissions] sandbox = "off"', isRequired: false })
})

test('a guest reads the repository and changes none of its settings, hooks or refs', { skip }, async () => {
  await using kit = await createConfinedKit({ forGuest: true })
  await kit.write('.git/config', 'as it was')
  await kit.write('.git/hooks/sample', 'as it was')
  const again = await createSandbox({ env: process.env }, { closed: [] }).confine({ ...kit.workspace, forGuest: true })
  Object.assign(kit.workspace, { confinement: again })
  assert.match((await kit.call('shell', { command: 'cat .git/config' })).output, /^as it was/)
  const tries = ['echo x > .git/config', 'echo x > .git/hooks/post-checkout', 'rm -r .git', 'mv .git g', 'rm .git/hooks/sample']
  for (const command of tries) assert.equal((await kit.call('shell', { command })).isError, true, command)
  assert.match((await kit.call('shell', { command: 'echo x > a && cat a' })).output, /^x/)
})

test('copies of a closed file are closed with it', { skip }, async () => {
  await using kit = await createToolKit({ ...process.env, HOME: '/' })
  for (const name of ['node.key', 'node.key.bak', '.node.key.swp', 'node.key~']) await kit.write(name, 'SECRET')
  const sandbox = createSandbox({ env: {} }, { closed: [join(kit.workspace.root, 'node.key')] })
  Object.assign(kit.workspace, { confinement: await sandbox.confine({ ...kit.workspace, forGuest: false }) })
  assert.doesNotMatch((await kit.call('shell', { command: 'cat * .*' })).output, /SECRET/)
})

/** Where a variable names a place in the workspace; `link`: in the workspace, and leads to what is hidden. */
const NAMED_INSIDE: Record<string, { env: (root: string) => Record<string, string>; link: string }> = {
  'a directory of PATH': { env: (root) => ({ PATH: join(root, 'bin') }), link: 'bin' },
  'the libraries beside one': { env: (root) => ({ PATH: join(root, '.venv/bin') }), link: '.venv/lib' },
  'a virtual environment': { env: (root) => ({ VIRTUAL_ENV: join(root, '.venv') }), link: '.venv' },
  'a link outside that leads inside': { env: (root) => ({ PATH: join(root, '../outside') }), link: 'bin' },
}
for (const [what, { env, link }] of Object.entries(NAMED_INSIDE)) {
  test(`what a command sees is not decided inside the workspace: ${what}`, { skip }, async () => {
    for (const forGuest of [false, true]) {
      await using kit = await createConfinedKit({ forGuest })
      const { root } = kit.workspace
      await mkdir(join(kit.base, 'hidden'))
      await writeFile(join(kit.base, 'hidden', 'x'), 'SECRET')
      await symlink(join(root, 'bin'), join(kit.base, 'outside'))
      await mkdir(join(root, link, '..'), { recursive: true })
      await symlink(join(kit.base, 'hidden'), join(root, link))
      const sandbox = createSandbox(
        { env: { HOME: kit.base, ...env(root) } },
        { closed: [], readable: [join(root, link)], writable: [join(root, link)] },
      )
      const confinement = await sandbox.confine({ ...kit.workspace, forGuest })
      assert.equal(confinement.kind, 'sandbox')
      Object.assign(kit.workspace, { confinement })
      const { output } = await kit.call('shell', { command: `cat ${link}/x; cat ${join(kit.base, 'hidden', 'x')}` })
      assert.doesNotMatch(output, /SECRET/)
    }
  })
}

const GUEST_FORBIDDEN: Record<string, string> = {
  'data of this machine': 'ls /var/lib || ls /var/log',
  'what only root reads': 'cat /etc/shadow /etc/gshadow /etc/ssh/* | grep .',
  'what the person lets his own commands read': 'cat $BASE/readable/x',
  'what the person lets his own commands write': 'touch $BASE/writable/x && test -f $BASE/writable/kept',
}
for (const [what, command] of Object.entries(GUEST_FORBIDDEN)) {
  test(`a guest's command sees programs and the workspace, not ${what}`, { skip }, async () => {
    await using kit = await createConfinedKit({ forGuest: true })
    const [readable, writable] = [join(kit.base, 'readable'), join(kit.base, 'writable')]
    for (const path of [readable, writable]) await mkdir(path)
    await writeFile(join(readable, 'x'), 'SECRET')
    await writeFile(join(writable, 'kept'), '')
    const sandbox = createSandbox({ env: process.env }, { closed: [], readable: [readable], writable: [writable] })
    const run = async (forGuest: boolean, command: string) => {
      Object.assign(kit.workspace, { confinement: await sandbox.confine({ ...kit.workspace, forGuest }) })
      return await kit.call('shell', { command: `BASE=${kit.base}; ${command}` })
    }
    assert.equal((await run(true, command)).isError, true)
    assert.equal((await run(true, 'ls /usr/bin/env && git --version')).isError, false)
    assert.equal((await run(false, 'cat $BASE/readable/x && touch $BASE/writable/x && test -f $BASE/writable/kept')).isError, false)
  })
}
