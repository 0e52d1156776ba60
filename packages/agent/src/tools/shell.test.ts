import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { eventually } from '@qmtcode/testing'
import { createToolKit, isRunning } from './tool-kit.ts'
import type { ToolKit } from './tool-kit.ts'

test('gives output and errors in order, and the exit code', async () => {
  await using kit = await createToolKit()
  const { output, isError } = await kit.call('shell', { command: 'echo one; echo two >&2; echo three; pwd; exit 3' })
  assert.equal(output, `one\ntwo\nthree\n${kit.workspace.root}\n[exit code 3]`)
  assert.equal(isError, true)
  assert.deepEqual(await kit.call('shell', { command: 'true' }), { output: '[exit code 0]', isError: false })
  assert.match((await kit.call('shell', { command: 'if' })).output, /syntax error[\s\S]*\[exit code [12]\]$/)
})

test('has no input, and only the listed environment', async () => {
  const env = {
    ...process.env,
    LC_TIME: 'C',
    OPENAI_API_KEY: 'k',
    ANTHROPIC_API_KEY: 'k',
    QMT_HOME: '/h',
    AWS_SECRET_ACCESS_KEY: 'k',
    SSH_AUTH_SOCK: 's',
  }
  await using kit = await createToolKit(env)
  const { output } = await kit.call('shell', { command: 'cat; env' })
  assert.match(output, /^PATH=/m)
  assert.match(output, /^LC_TIME=C$/m)
  assert.doesNotMatch(output, /API_KEY|QMT_|AWS|SSH/)
})

/** A command that writes the pid of a grandchild into `pid`, and the pid. */
async function withGrandchild(kit: ToolKit, command: string, end: (controller: AbortController) => void) {
  const controller = new AbortController()
  let told = ''
  const result = kit.call('shell', { command, timeout_seconds: 600 }, { signal: controller.signal, onProgress: (text) => (told += text) })
  await eventually('the command is ready', () => told.includes('ready'))
  const pid = Number(await readFile(join(kit.workspace.root, 'pid'), 'utf8'))
  assert.equal(await isRunning(pid), true)
  end(controller)
  return { result: await result, pid }
}

test('no relative entry of PATH finds a program of the workspace', async () => {
  for (const PATH of ['.:bin::/usr/bin:/bin', '.', '']) {
    await using kit = await createToolKit({ PATH })
    await kit.write('ls', '#!/bin/sh\necho theirs\n')
    const { output } = await kit.call('shell', { command: '/bin/chmod 755 ls; ls' })
    assert.match(output, /^ls\n/, PATH)
  }
})

test('a cancel ends the command and its grandchildren', async () => {
  await using kit = await createToolKit()
  const command = `sh -c 'sleep 300 & echo $! > pid; echo ready; wait'`
  const { result, pid } = await withGrandchild(kit, command, (controller) => controller.abort())
  assert.match(result.output, /\[killed: the turn was cancelled\]$/)
  assert.equal(result.isError, true)
  assert.equal(await isRunning(pid), false)
})

test('what ignores SIGTERM is killed', async () => {
  await using kit = await createToolKit()
  const command = `trap '' TERM; sh -c 'trap "" TERM; echo $$ > pid; echo ready; while :; do sleep 0.05; done'`
  const { pid } = await withGrandchild(kit, command, (controller) => controller.abort())
  await eventually('it is gone', async () => !(await isRunning(pid)))
})

test('a timeout ends the command and says so', async () => {
  await using kit = await createToolKit()
  const { output, isError } = await kit.call('shell', { command: 'echo begun; sleep 300', timeout_seconds: 0.2 })
  assert.match(output, /^begun\n\[killed: it took longer than 0\.2 s/)
  assert.equal(isError, true)
})

test('a background child that holds the pipe neither delays the result nor outlives it', async () => {
  await using kit = await createToolKit()
  const begun = performance.now()
  const { output, isError } = await kit.call('shell', { command: 'sleep 300 & echo $! > pid; echo done' })
  assert.equal(output, 'done\n[processes left in the background were ended]\n[exit code 0]')
  assert.equal(isError, false)
  assert.ok(performance.now() - begun < 5_000)
  assert.equal(await isRunning(Number(await kit.read('pid'))), false)
})

test('a child in a session of its own does not delay the result', async () => {
  await using kit = await createToolKit()
  const begun = performance.now()
  const { output } = await kit.call('shell', { command: 'setsid sleep 300 & echo done; sleep 0.1; echo $! > pid' })
  assert.match(output, /^done\n/)
  assert.ok(performance.now() - begun < 5_000)
  const pid = Number(await kit.read('pid'))
  if (await isRunning(pid)) process.kill(pid)
})

test('long output is bounded, and whole in a file that read_file may read', async () => {
  await using kit = await createToolKit()
  const { output } = await kit.call('shell', { command: 'seq 1 200000' })
  assert.ok(output.length < 52_000)
  assert.match(output, /^1\n2\n/)
  assert.match(output, /\n200000\n\[exit code 0\]$/)
  const path = /the whole output is in (\S+):/.exec(output)?.[1] ?? ''
  assert.equal((await kit.workspace.resolve(path)).place, 'output')
  assert.equal(await readFile(path, 'utf8'), `${Array.from({ length: 200_000 }, (_, index) => index + 1).join('\n')}\n`)
  assert.match((await kit.call('read_file', { path, offset: 100_000, limit: 1 })).output, /^100000\t100000\n/)
})

test('endless output is bounded in memory and on disk, and ends with its timeout', async () => {
  await using kit = await createToolKit()
  const { output } = await kit.call('shell', { command: 'yes', timeout_seconds: 1 })
  assert.ok(output.length < 52_000)
  assert.match(output, /\[killed: it took longer/)
  assert.ok(kit.progress.length < 40)
})

test('a command cancelled before it began does nothing for long', async () => {
  await using kit = await createToolKit()
  const { output } = await kit.call('shell', { command: 'sleep 300' }, { signal: AbortSignal.abort() })
  assert.match(output, /cancelled/)
})
