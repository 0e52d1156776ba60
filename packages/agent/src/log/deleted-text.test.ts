import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { newPromptId, newSessionId } from '@qmtcode/protocol'
import type { SessionId } from '@qmtcode/protocol'
import { createdEvent, note, openLog, sessionInit } from './log-kit.ts'
import type { EventLog } from './types.ts'

/** The files of the log that hold a text: the database, -wal, -shm. */
async function filesWith(text: string, file: string): Promise<string[]> {
  const home = dirname(file)
  const names = await readdir(home)
  const holding = names.map(async (name) => ((await readFile(join(home, name))).includes(text) ? [name] : []))
  return (await Promise.all(holding)).flat()
}

const CANARY = 'canary-5d1f'
const random = (seed: number) => (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32

/** A session with its text wherever the file keeps text: title, events short and long, a prompt, a share, an answer. */
async function write(log: EventLog, id: SessionId, next: () => number): Promise<void> {
  const text = (): string => `${CANARY} `.repeat(1 + Math.floor(next() ** 4 * 3_000))
  const kinds = [
    () => note(text()),
    () => ({ type: 'session.configured' as const, title: text().slice(0, 150), author: { node: CANARY } }),
    () => ({
      type: 'prompt.accepted' as const,
      promptId: newPromptId(),
      author: { node: CANARY },
      content: [{ type: 'text' as const, text: text() }],
      position: 0,
    }),
    () => ({
      type: 'permission.answered' as const,
      turnId: 't',
      id: `${CANARY}-${next()}`,
      answer: 'allow' as const,
      by: { node: CANARY },
    }),
  ]
  const kind = kinds[Math.floor(next() * kinds.length)]
  if (kind) await log.append(id, [kind()])
}

for (const seed of [1, 2, 3, 4]) {
  test(`a deleted session leaves no byte of its text in any file of the log (order ${seed})`, async () => {
    await using kit = await openLog()
    const { log, file } = kit
    const next = random(seed)
    const kept = sessionInit()
    await log.create(kept, createdEvent({ title: 'kept' }))
    const gone = Array.from({ length: 3 }, () => sessionInit())
    for (const session of gone) await log.create(session, createdEvent({ title: CANARY, workspace: `/tmp/${CANARY}` }))
    for (let i = 0; i < 150; i += 1) {
      const session = gone[Math.floor(next() * gone.length)]
      if (session) await write(log, session.id, next)
      await log.append(kept.id, [note('kept '.repeat(Math.floor(next() * 300)))])
    }
    const fork = { ...sessionInit(), id: newSessionId() }
    await log.fork(gone[0]?.id ?? assert.fail(), { at: 2, session: fork, created: createdEvent(), closing: [] })
    assert.notDeepEqual(await filesWith(CANARY, file), [])
    for (const { id } of [...gone, fork]) await log.remove(id)
    assert.deepEqual(await filesWith(CANARY, file), [])
    assert.equal((await log.read(kept.id, { after: 0, limit: 1_000 })).length > 1, true)
  })
}

test('a deletion while another process reads the file stands, and its text goes with the next one', async () => {
  await using kit = await openLog({ busyTimeoutMs: 20 })
  const [first, second] = [sessionInit(), sessionInit()]
  for (const { id } of [first, second]) {
    await kit.log.create({ ...sessionInit(), id }, createdEvent())
    await kit.log.append(id, [note(CANARY)])
  }
  const reader = new DatabaseSync(kit.file)
  reader.exec('begin')
  reader.prepare('select count(*) from events').get()
  await kit.log.remove(first.id)
  assert.equal(await kit.log.session(first.id), undefined)
  reader.exec('commit')
  reader.close()
  await kit.log.remove(second.id)
  assert.deepEqual(await filesWith(CANARY, kit.file), [])
})
