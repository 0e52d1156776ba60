import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { AuditEntry, AuditLine, Clock, PeerId } from '@qmtcode/protocol'
import { openAuditFile } from './audit-file.ts'
import { openAuditLog } from './audit-log.ts'
import { createAuditSummary } from './audit-summary.ts'
import { followAudit, readAudit } from './read-audit.ts'

const newFile = async (): Promise<string> => join(await mkdtemp(join(tmpdir(), 'qmt-audit-')), 'audit.jsonl')
async function linesOf(file: string): Promise<AuditLine[]> {
  const lines: AuditLine[] = []
  for await (const line of readAudit(file)) lines.push(line)
  return lines
}
const refusal = (address: string): AuditEntry => ({
  kind: 'refused',
  direction: 'in',
  what: 'connection',
  address,
  outcome: 'rate_limited',
})
const call = (peer: string): AuditEntry => ({
  kind: 'call',
  direction: 'in',
  what: 'models.stream',
  peerId: peer as PeerId,
  outcome: 'ok',
  bytesIn: 1,
  bytesOut: 2,
})

/** A summary whose time a test moves. */
function summaryAt(): { lines: AuditLine[]; add(entry: AuditEntry): void; wait(ms: number): void } {
  let now = 1_000
  const clock: Clock = { now: () => now, monotonic: () => now }
  const lines: AuditLine[] = []
  const summary = createAuditSummary({ clock, write: (line) => lines.push(line) })
  return {
    lines,
    add: summary.add,
    wait(ms) {
      for (const end = now + ms; now < end;) {
        now += 10_000
        mock.timers.tick(10_000)
      }
    },
  }
}

test('a flood is its first lines and then a count each ten seconds, and a quiet window later it has lines again', (context) => {
  mock.timers.enable({ apis: ['setInterval'] })
  context.after(() => mock.timers.reset())
  const { lines, add, wait } = summaryAt()
  for (let second = 0; second < 60; second += 10) {
    for (let i = 0; i < 10_000; i += 1) add(refusal('10.0.0.1'))
    wait(10_000)
  }
  assert.equal(lines.length, 5 + 6)
  assert.equal(
    lines.reduce((sum, { count }) => sum + (count ?? 1), 0),
    60_000,
  )
  wait(20_000)
  add(refusal('10.0.0.1'))
  assert.equal(lines.length, 12)
  assert.equal(lines.at(-1)?.count, undefined)
})

test('a flood of a million sources takes no more lines than one of twenty, and says how many there were', (context) => {
  mock.timers.enable({ apis: ['setInterval'] })
  context.after(() => mock.timers.reset())
  const { lines, add, wait } = summaryAt()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 1_000_000; i += 1) add(refusal(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`))
  wait(10_000)
  assert.equal(lines.length, 21)
  assert.deepEqual([lines[20]?.count, lines[20]?.sources], [999_980, 1_000])
  assert.ok(process.memoryUsage().heapUsed - before < 100_000_000)
})

test("one peer's calls take no lines from another's, and their bytes are summed", (context) => {
  mock.timers.enable({ apis: ['setInterval'] })
  context.after(() => mock.timers.reset())
  const { lines, add, wait } = summaryAt()
  for (let i = 0; i < 5_000; i += 1) add(call('greedy'))
  add(call('other'))
  assert.deepEqual([lines.filter(({ peerId }) => peerId === 'other').length, lines.length], [1, 201])
  wait(10_000)
  const [counted] = lines.filter(({ count }) => count !== undefined)
  assert.deepEqual([counted?.count, counted?.bytesIn, counted?.bytesOut], [4_800, 4_800, 9_600])
})

test('the files have a bound: the newest lines stay, in four files of mode 0600', async () => {
  const file = await newFile()
  await writeFile(file, '', { mode: 0o644 })
  const audit = await openAuditFile(file, { log: silentLogger }, { maxBytes: 10_000 })
  const line = { at: 1, ...refusal('10.0.0.1'), reason: 'x'.repeat(100) }
  for (let i = 0; i < 9_000; i += 1) audit.write({ ...line, at: i })
  await audit.close()
  const names = await readdir(join(file, '..'))
  assert.deepEqual(names.sort(), ['audit.jsonl', 'audit.jsonl.1', 'audit.jsonl.2', 'audit.jsonl.3'])
  for (const name of names) {
    const { size, mode } = await stat(join(file, '..', name))
    assert.ok(size <= 10_000, `${name} ${size}`)
    assert.equal(mode & 0o777, 0o600)
  }
  const kept = await linesOf(file)
  assert.equal(kept.at(-1)?.at, 8_999)
  assert.ok(kept.every(({ at }, index) => index === 0 || at === (kept[index - 1]?.at ?? 0) + 1))
})

test("a peer's words are one short line without control characters, and the person's decisions name the account", async () => {
  const file = await newFile()
  const log = await openAuditLog(file, { clock: systemClock, log: silentLogger })
  log.note({ ...refusal('10.0.0.1'), name: '\u001B[31mroot\n{"kind":"trust"}', reason: 'y'.repeat(5_000) })
  log.note({ kind: 'trust', what: 'ban', by: 'person', outcome: 'ok' })
  await log.close()
  await log.close()
  log.note(refusal('10.0.0.2'))
  const [first, second, more] = await linesOf(file)
  assert.deepEqual(
    [first?.name, (first?.reason?.length ?? 0) <= 200, typeof second?.user, more],
    ['root {"kind":"trust"}', true, 'string', undefined],
  )
  assert.equal((await readFile(file, 'utf8')).split('\n').length, 3)
})

test('a cut line, and one that is none, are passed over, and counted', async () => {
  const file = await newFile()
  const good = JSON.stringify({ at: 1, ...refusal('10.0.0.1') })
  await writeFile(file, `${good.slice(0, 20)}\n\n{"at":"x"}\n${good}\n`)
  assert.equal((await linesOf(file)).length, 1)
  let unread = 0
  for await (const _ of readAudit(file, { unread: () => (unread += 1) })) continue
  assert.equal(unread, 2)
  assert.deepEqual(await linesOf(`${file}.absent`), [])
})

test('following goes on over the change of the file, and ends with its signal', async () => {
  const file = await newFile()
  const audit = await openAuditFile(file, { log: silentLogger }, { maxBytes: 20_000 })
  const leaving = new AbortController()
  const seen: number[] = []
  const following = (async () => {
    for await (const { at } of followAudit(file, { signal: leaving.signal })) {
      seen.push(at)
      if (at === 100) leaving.abort()
    }
  })()
  const unseen = setInterval(() => audit.write({ at: 0, ...refusal('10.0.0.1') }), 5)
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve))
  clearInterval(unseen)
  for (let at = 1; at <= 100; at += 1) audit.write({ at, ...refusal('10.0.0.1'), reason: 'z'.repeat(100) })
  await audit.close()
  await following
  assert.ok((await stat(`${file}.1`)).size > 0)
  assert.deepEqual(
    seen.filter((at) => at > 0),
    Array.from({ length: 100 }, (_, index) => index + 1),
  )
})

test('a directory that is not there is an error that names the file', async () => {
  await assert.rejects(openAuditLog('/nowhere/audit.jsonl', { clock: systemClock, log: silentLogger }), /cannot write the audit \/nowhere/)
})
