import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { acquireHomeLock, readNodeFile } from './home-lock.ts'

const newHome = (): string => mkdtempSync(join(tmpdir(), 'qmt-lock-'))

test('a home has one holder, and tells others who it is', () => {
  const home = newHome()
  const lock = acquireHomeLock(home)
  assert.ok(lock)
  assert.equal(acquireHomeLock(home), undefined)
  assert.equal(readNodeFile(home), undefined)
  const file = { pid: process.pid, version: '1', socket: join(home, 'node.sock'), fingerprint: 'f' }
  lock.publish(file)
  assert.deepEqual(readNodeFile(home), file)
  lock.withdraw()
  assert.equal(readNodeFile(home), undefined)
  assert.equal(acquireHomeLock(home), undefined)
  lock.publish(file)
  lock.release()
  assert.equal(readNodeFile(home), undefined)
  const again = acquireHomeLock(home)
  assert.ok(again)
  again.release()
  again.release()
})

test('a holder that is killed leaves no lock behind', async () => {
  const home = newHome()
  const module = fileURLToPath(new URL('./home-lock.ts', import.meta.url))
  const script = `import { acquireHomeLock } from ${JSON.stringify(module)}
    const lock = acquireHomeLock(${JSON.stringify(home)})
    process.stdout.write(lock ? 'held' : 'refused')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  assert.equal(said.toString(), 'held')
  assert.equal(acquireHomeLock(home), undefined)
  child.kill('SIGKILL')
  await once(child, 'close')
  const lock = acquireHomeLock(home)
  assert.ok(lock)
  lock.release()
})
