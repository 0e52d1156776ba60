import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { createNoteSet } from './note-set.ts'

const idOf = (nth: number): PeerId => `12D3KooW${nth.toString().replaceAll('0', 'A').padStart(44, 'z')}` as PeerId
const FRIEND = idOf(99_999)

test('who makes up authors fills no room of those that are known here, and takes none of their notes', async () => {
  const set = createNoteSet({
    entries: [],
    keep: async (_, taken) => taken(),
    changed: () => undefined,
    isPreferred: (speaker) => speaker === FRIEND,
  })
  const add = async (author: PeerId, nth: number): Promise<boolean> => {
    const key = `${author}/0abcdefgh-${nth.toString(36).padStart(3, '0')}`
    const entry = { key, author, version: 1, signature: '', payload: JSON.stringify({ text: 'a note', at: 1, stamp: 1 }) }
    return set.wants(key, 1) && (await set.merge(entry, author)) === 'news'
  }
  const ofFriend = (): number => [...set.all()].filter(({ entry }) => entry.author === FRIEND).length
  for (let nth = 0; nth < 100; nth += 1) assert.ok(await add(FRIEND, nth))
  for (let nth = 0; nth < LIMITS.gossipEntries + 500; nth += 1) await add(idOf(nth), 0)
  assert.deepEqual([set.size, ofFriend()], [LIMITS.gossipEntries, 100])
  for (let nth = 100; nth < 200; nth += 1) assert.ok(await add(FRIEND, nth), `note ${nth} of a full board`)
  assert.deepEqual([set.size, ofFriend()], [LIMITS.gossipEntries, 200])
})
