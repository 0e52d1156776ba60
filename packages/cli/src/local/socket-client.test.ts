import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { isToolOf } from './descent.ts'
import { clientsIn, clientsOf } from './socket-client.ts'

const skip = existsSync('/usr/bin/ss') || existsSync('/bin/ss') ? false : 'there is no ss of iproute2'

test('the process at the other end of the local socket is found, and that this one started it', { skip }, async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'qmt-peer-')), 'a socket')
  const server = createServer().listen(path)
  await once(server, 'listening')
  const script = `require('node:net').connect(${JSON.stringify(path)})`
  const child = spawn('/bin/sh', ['-c', '"$0" -e "$1"; true', process.execPath, script], { stdio: 'ignore', detached: true })
  const [socket] = (await once(server, 'connection')) as [Socket]
  try {
    const [client = 0, ...more] = await clientsOf(socket)
    assert.deepEqual(more, [])
    assert.notEqual(client, child.pid) // the shell's child
    assert.equal(await isToolOf(process.pid, client), true)
    assert.equal(await isToolOf(client, process.pid), false)
    assert.equal(await isToolOf(client, child.pid ?? 0), false)
  } finally {
    socket.destroy()
    server.close()
    process.kill(-(child.pid ?? 0), 'SIGKILL')
  }
})

test('what tools inherit tells on a process whose ancestors have ended', { skip: process.platform !== 'linux' }, async () => {
  const child = spawn('/bin/sleep', ['100'], { env: { QMTCODE_TOOL: '1' }, stdio: 'ignore' })
  await once(child, 'spawn')
  assert.equal(await isToolOf(undefined, child.pid ?? 0), true)
  child.kill()
  const other = spawn('/bin/sleep', ['100'], { env: {}, stdio: 'ignore' })
  await once(other, 'spawn')
  assert.equal(await isToolOf(undefined, other.pid ?? 0), false)
  other.kill()
})

test('a listing of sockets is read by its columns', () => {
  const listing = `u_str ESTAB 0 0 /home/a b/node.sock 11 * 12 users:(("node",pid=5,fd=20))
u_str ESTAB 0 0 * 12 * 11 users:(("node",pid=77,fd=21),("sh",pid=78,fd=3))
u_str ESTAB 0 0 * 13 * 14`
  assert.deepEqual(clientsIn(listing, '11'), [77, 78])
  assert.deepEqual(clientsIn(listing, '13'), [])
  assert.deepEqual(clientsIn('', '11'), [])
})
