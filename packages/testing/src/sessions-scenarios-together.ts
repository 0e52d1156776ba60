import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newSessionId } from '@qmtcode/protocol'
import type { SessionEvent } from '@qmtcode/protocol'
import { eventually } from './eventually.ts'
import { followUntil } from './sessions-script.ts'
import { is, tell, untilEnd } from './sessions-stage.ts'
import type { Scenario } from './sessions-stage.ts'

export function forking(scenario: Scenario): void {
  scenario('a fork goes on from an event, and leaves the first session as it is', async ({ alice, bob, create }) => {
    const { id } = await create({ title: 'the first' })
    await tell(alice, id, 'say one')
    await untilEnd(alice, id)
    const { promptId } = await tell(alice, id, 'say two')
    await untilEnd(alice, id, promptId)
    const fork = await bob.fork(id, { at: 5, title: 'the other' })
    assert.deepEqual([fork.title, fork.seq, fork.state, fork.private], ['the other', 5, 'idle', false])
    const [created, ...copied] = (await bob.history(fork.id)).items
    assert.deepEqual(created?.type === 'session.created' && created.forkedFrom, { sessionId: id, seq: 5 })
    assert.match(created?.type === 'session.created' ? created.author.node : '', /bob/)
    const source = (await alice.history(id)).items
    assert.deepEqual(
      copied.map(({ seq, at, type }) => [seq, at, type]),
      source.slice(1, 5).map(({ seq, at, type }) => [seq, at, type]),
    )
    const next = await tell(bob, fork.id, 'say three')
    await untilEnd(bob, fork.id, next.promptId)
    assert.deepEqual([(await alice.get(id)).seq, (await alice.get(fork.id)).seq], [9, 9])
    assert.equal((await alice.fork(id)).seq, 9)
  })

  scenario('a fork within a turn leaves nothing open', async ({ alice, create, script }) => {
    const { id } = await create()
    await tell(alice, id, 'ask')
    const seen = await followUntil(alice, id, is('permission.requested'))
    const waiting = await tell(alice, id, 'say later')
    const asked = seen.find(is('permission.requested'))
    const fork = await alice.fork(id, { at: waiting.seq })
    const { items } = await alice.history(fork.id)
    const ending = items.slice(waiting.seq)
    assert.equal(ending.find(is('permission.answered'))?.id, asked?.id)
    assert.equal(ending.find(is('turn.ended'))?.stopReason, 'interrupted')
    assert.equal(ending.find(is('prompt.withdrawn'))?.promptId, waiting.promptId)
    assert.equal((await alice.get(fork.id)).state, 'interrupted')
    assert.equal((await alice.get(id)).state, 'waiting')
    script.release()
    const { promptId } = await tell(alice, fork.id, 'say here')
    await untilEnd(alice, fork.id, promptId)
  })

  scenario('a fork at an event that is not there is refused', async ({ alice, create }) => {
    const { id } = await create()
    await assert.rejects(alice.fork(id, { at: 2 }), { code: 'bad_request' })
    await assert.rejects(alice.fork(newSessionId()), { code: 'not_found' })
    assert.equal((await alice.list()).items.length, 1)
  })
}

export function readingFiles(scenario: Scenario): void {
  scenario('files of the workspace are listed and read, and nothing else', async ({ alice, create }) => {
    const { id, workspace } = await create()
    await mkdir(join(workspace, 'src', 'deep'), { recursive: true })
    await writeFile(join(workspace, '.gitignore'), 'ignored\n')
    await writeFile(join(workspace, 'ignored'), 'no')
    await writeFile(join(workspace, 'src', 'deep', 'parser.ts'), 'export {}\n')
    await writeFile(join(workspace, 'src', 'a b.txt'), 'blank')
    await writeFile(join(workspace, 'big.bin'), Buffer.alloc(4_194_305))
    await symlink('/etc/hostname', join(workspace, 'link'))
    const root = await alice.listFiles(id)
    const names = root.items.map(({ path }) => path)
    assert.ok(names.includes('src') && names.includes('.gitignore'), names.join())
    assert.ok(!names.includes('ignored') && !names.includes('link') && !names.includes('src/a b.txt'), names.join())
    const [best] = (await alice.listFiles(id, { match: 'prs' })).items
    assert.deepEqual([best?.path, best?.kind, best?.size], ['src/deep/parser.ts', 'file', 10])
    const one = await alice.listFiles(id, { path: 'src', limit: 1 })
    assert.deepEqual([one.items.map(({ path }) => path), one.more], [['src/deep'], true])
    const file = await alice.readFile(id, 'src/a b.txt')
    assert.deepEqual([file.mediaType, Buffer.from(file.data, 'base64').toString()], ['text/plain', 'blank'])
    await assert.rejects(alice.readFile(id, 'big.bin'), { code: 'too_large' })
    await assert.rejects(alice.readFile(id, 'src/none'), { code: 'not_found' })
    for (const path of ['../x', '/etc/hostname', 'link', 'src/../../x', '~/x']) {
      await assert.rejects(alice.readFile(id, path), { code: 'bad_request' }, path)
      await assert.rejects(alice.listFiles(id, { path }), { code: 'bad_request' }, path)
    }
  })
}

export function beingPresent(scenario: Scenario): void {
  scenario('who follows is present, and the others hear of it', async ({ alice, bob, create }) => {
    const { id } = await create()
    assert.deepEqual(await alice.presence(id), [])
    const ofBoth = (event: SessionEvent): boolean => is('presence.changed')(event) && event.present.length === 2
    const here = followUntil(alice, id, ofBoth)
    await eventually('alice follows', async () => (await bob.presence(id)).length === 1)
    const abort = new AbortController()
    const events = bob.follow(id, { signal: abort.signal })[Symbol.asyncIterator]()
    await events.next()
    const changed = (await here).findLast(is('presence.changed'))
    assert.match(changed?.present.map(({ node }) => node).join(' ') ?? '', /alice.* .*bob/)
    const seen: SessionEvent[] = []
    const left = followUntil(alice, id, (event) => seen.push(event) > 0 && is('presence.changed')(event) && event.present.length === 1)
    await eventually('alice knows of bob', () => seen.some(ofBoth))
    abort.abort()
    while (!(await events.next()).done);
    assert.match((await left).findLast(is('presence.changed'))?.present[0]?.node ?? '', /alice/)
  })
}
