import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { createdEvent, note, openLog, sessionInit } from './log-kit.ts'
import { openStore } from './store.ts'

const NOBODY = 65_534

async function temporary(): Promise<{ path: string; file: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'qmt-faults-'))
  return { path, file: join(path, 'sessions.db'), [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A log with something in it, closed. */
async function writtenLog(file: string): Promise<void> {
  await using kit = await openLog({ file })
  const session = sessionInit()
  await kit.log.create(session, createdEvent())
  await kit.log.append(
    session.id,
    Array.from({ length: 200 }, (_, i) => note(`${i} `.repeat(50))),
  )
}

const damages: [string, (bytes: Buffer) => Buffer][] = [
  ['text', () => Buffer.from('this is no database, and never was one\n'.repeat(100))],
  ['a damaged header', (bytes) => Buffer.concat([Buffer.alloc(64, 0xff), bytes.subarray(64)])],
  ['a damaged page', (bytes) => Buffer.concat([bytes.subarray(0, 4_096), Buffer.alloc(4_096, 0xa5), bytes.subarray(8_192)])],
  ['the first half', (bytes) => bytes.subarray(0, bytes.length / 2)],
]
for (const [what, damage] of damages) {
  test(`a log that is ${what} is refused, with its name and what to do, and left alone`, async () => {
    await using directory = await temporary()
    await writtenLog(directory.file)
    await writeFile(directory.file, damage(await readFile(directory.file)))
    const before = await readFile(directory.file)
    await assert.rejects(openLog({ file: directory.file }), (error: { code: string; message: string; hint: string }) => {
      assert.equal(error.code, 'bad_config')
      assert.match(error.message, new RegExp(`${directory.file} is damaged: .+`))
      assert.match(error.hint, /move it away/)
      return true
    })
    assert.deepEqual(await readFile(directory.file), before)
  })
}

test('a newer log, a foreign one, and a directory are refused', async () => {
  await using directory = await temporary()
  const newer = join(directory.path, 'newer.db')
  await writtenLog(newer)
  const db = new DatabaseSync(newer)
  db.exec('pragma user_version = 99')
  db.close()
  await assert.rejects(openLog({ file: newer }), { code: 'bad_config', message: /newer qmtcode \(schema 99; this one knows \d+\)/ })

  const foreign = join(directory.path, 'foreign.db')
  const other = new DatabaseSync(foreign)
  other.exec('create table recipes (name text)')
  other.close()
  await assert.rejects(openLog({ file: foreign }), { code: 'bad_config', message: /not one of qmtcode/ })

  await mkdir(directory.file)
  await assert.rejects(openLog({ file: directory.file }), { code: 'bad_config', message: /sessions\.db/ })
})

test('a log or a directory that cannot be written is refused', async () => {
  await using directory = await temporary()
  await writtenLog(directory.file)
  await chmod(directory.file, 0o444)
  await chmod(directory.path, 0o777)
  asOrdinaryUser(() => assert.throws(() => openStore({ file: directory.file }), { code: 'bad_config', message: /readonly/ }))
  await chmod(directory.path, 0o755)
  asOrdinaryUser(() => {
    assert.throws(() => openStore({ file: directory.file }), { code: 'bad_config', message: /cannot open .*sessions\.db/ })
    assert.throws(() => openStore({ file: join(directory.path, 'no', 'such.db') }), { code: 'bad_config', message: /such\.db/ })
  })
  await rm(directory.file)
  await chmod(directory.path, 0o555)
  asOrdinaryUser(() => assert.throws(() => openStore({ file: directory.file }), { code: 'bad_config', hint: /readable and writable/ }))
  await chmod(directory.path, 0o700)
})

test('a log is for its own user only', async () => {
  await using kit = await openLog()
  await kit.log.create(sessionInit(), createdEvent())
  for (const file of [kit.file, `${kit.file}-wal`, `${kit.file}-shm`]) assert.equal((await stat(file)).mode & 0o777, 0o600, file)
})

/** Root may write what nobody may: the checks of rights run as nobody. */
function asOrdinaryUser(work: () => void): void {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid?.(NOBODY)
  try {
    work()
  } finally {
    process.seteuid?.(0)
  }
}

test('a full disk refuses the write, keeps all before it, and half of nothing', async () => {
  await using kit = await openLog({ maxBytes: 400_000 })
  const session = sessionInit()
  await kit.log.create(session, createdEvent())
  await kit.log.append(session.id, [note('before')])
  const large = note('x'.repeat(150_000))
  await assert.rejects(kit.log.append(session.id, [note('half'), large, large, large]), {
    code: 'internal',
    message: /full/,
    hint: /make room/,
  })
  assert.equal((await kit.log.session(session.id))?.seq, 2)
  const [after] = await kit.log.append(session.id, [note('after')])
  assert.equal(after?.seq, 3)
})

test('writes fail while another process holds the file, and go on when it lets go', async () => {
  await using kit = await openLog({ busyTimeoutMs: 50 })
  const session = sessionInit()
  await kit.log.create(session, createdEvent())
  const other = new DatabaseSync(kit.file)
  other.exec('begin immediate')
  await assert.rejects(kit.log.append(session.id, [note('blocked')]), { code: 'busy', message: /held by another process/ })
  other.exec('rollback')
  other.close()
  const [event] = await kit.log.append(session.id, [note('free')])
  assert.equal(event?.seq, 2)
})
