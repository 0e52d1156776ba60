import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const BIN = fileURLToPath(new URL('../bin/qmtcode.js', import.meta.url))
/** Each thread says at its end, on stderr, how many modules it read, and which of them are the network's. */
const COUNTS = `
import { registerHooks } from 'node:module'
const read = []
registerHooks({ load(url, context, next) { read.push(url); return next(url, context) } })
process.on('exit', () => console.error('READ ' + JSON.stringify({ count: read.length, network: read.filter((url) => /libp2p/.test(url)) })))`

test('a node without a mesh reads none of the libraries of the network: they are most of a start', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'qmt-libraries-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const args = ['--import', `data:text/javascript,${encodeURIComponent(COUNTS)}`, BIN, 'sessions', '--json']
  const env = { PATH: process.env['PATH'], HOME: home, QMT_HOME: home, NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env, cwd: home })
  const threads = [...stderr.matchAll(/^READ (.*)$/gm)].map(([, said]) => JSON.parse(said ?? '') as { count: number; network: string[] })
  assert.equal(stdout, '[]\n')
  assert.deepEqual(
    threads.flatMap(({ network }) => network),
    [],
  )
  assert.ok(Math.max(...threads.map(({ count }) => count)) > 100, stderr)
})
