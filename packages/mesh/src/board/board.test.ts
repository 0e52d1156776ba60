import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { appendFile, mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { LIMITS, silentLogger, systemClock } from '@qmtcode/protocol'
import type { Board, BoardEvent, Clock, PeerId, Role } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import type { Gossip, GossipEntry, GossipSet } from '../gossip/types.ts'
import { startGossipers } from '../testing/gossip-kit.ts'
import type { Gossiper } from '../testing/gossip-kit.ts'
import { openBoard } from './board.ts'

const SELF = `12D3KooW${'A'.repeat(44)}` as PeerId
const OTHER = `12D3KooW${'B'.repeat(44)}` as PeerId

/** A board of `self` whose gossip goes nowhere: what others say is handed to its set. */
async function lonelyBoard(options: { file?: string; self?: PeerId; role?: Role; clock?: Clock; starts?: number } = {}) {
  const {
    file = join(await mkdtemp(join(tmpdir(), 'qmt-board-')), 'board.jsonl'),
    self = SELF,
    role,
    clock = systemClock,
    starts = 1,
  } = options
  let set: GossipSet | undefined
  let version = starts * 1_000_000
  const gossip: Pick<Gossip, 'self' | 'add' | 'sign'> = {
    self,
    add: (added) => {
      set = added
    },
    sign: async (_, { id, payload }) => ({ key: `${self}/${id}`, author: self, version: ++version, payload, signature: '' }),
  }
  const board = await openBoard(
    { clock, log: silentLogger, gossip, about: (id) => ({ name: id === self ? 'here' : 'there', role }) },
    { file },
  )
  if (!set) throw new Error('the board added no set')
  return { board, set, file }
}

const texts = async (board: Board): Promise<string[]> => (await board.list({ limit: 1_000 })).map(({ text }) => text)
const entriesOf = (set: GossipSet): GossipEntry[] =>
  Array.from(set.digest(), ([key]) => set.get(key)).filter((entry) => entry !== undefined)
const first = async (board: Board): Promise<string> => (await board.list())[0]?.id ?? ''

suite('the board', () => {
  test('notes are there after a restart, the newest first, with who wrote them', async () => {
    const { board, file } = await lonelyBoard()
    await board.add('one', { user: 'ann' })
    await board.add('two', { agent: 'coder' })
    await board.edit(await first(board), 'two, better')
    await board[Symbol.asyncDispose]()
    const again = await lonelyBoard({ file, starts: 2 })
    const [two, one] = await again.board.list()
    assert.deepEqual([two?.text, two?.by, two?.edited?.node], ['two, better', { agent: 'coder' }, 'here'])
    assert.deepEqual([one?.text, one?.by, one?.node], ['one', { user: 'ann' }, 'here'])
    assert.deepEqual((await again.board.list({ match: 'BETTER' })).length, 1)
    await again.board.remove(two?.id ?? '')
    assert.deepEqual(await texts(again.board), ['one'])
    await again.board[Symbol.asyncDispose]()
  })

  test('a line that a crash cut is as if it had not been; a damaged one is left out, and the file kept', async () => {
    const { board, file } = await lonelyBoard()
    await board.add('whole')
    await board[Symbol.asyncDispose]()
    await appendFile(file, '{"key":"12D3')
    const cut = await lonelyBoard({ file, starts: 2 })
    assert.deepEqual(cut.board.problems(), [])
    await cut.board.add('after')
    await cut.board[Symbol.asyncDispose]()
    await writeFile(file, `not json\n${await readFile(file, 'utf8')}`)
    const damaged = await lonelyBoard({ file, starts: 3 })
    assert.deepEqual(await texts(damaged.board), ['after', 'whole'])
    assert.match(damaged.board.problems().join(), /board\.jsonl was damaged: .* kept as .*board\.jsonl\.damaged:/)
    await damaged.board[Symbol.asyncDispose]()
    assert.match(await readFile(`${file}.damaged`, 'utf8'), /^not json\n/)
    const mended = await readFile(file, 'utf8')
    await writeFile(file, `${mended}\u0000\u0000`)
    const again = await lonelyBoard({ file, starts: 4 })
    assert.deepEqual([await texts(again.board), again.board.problems().length], [['after', 'whole'], 2])
    await again.board[Symbol.asyncDispose]()
    assert.deepEqual((await readdir(join(file, '..'))).toSorted(), ['board.jsonl', 'board.jsonl.damaged', 'board.jsonl.damaged-2'])
    assert.equal(await readFile(file, 'utf8'), mended)
  })

  test('a node has 1,000 notes, the oldest go, on both sides alike and in any order; the file stays small', async () => {
    let now = 1_700_000_000_000
    const clock = { ...systemClock, now: () => (now += 1_000) }
    const { board, set, file } = await lonelyBoard({ clock })
    // All at once: the file is written and synced a few times, not once a note.
    await Promise.all(Array.from({ length: LIMITS.notesPerNode + 5 }, (_, at) => board.add(`note ${at + 1}`)))
    const here = await texts(board)
    assert.deepEqual([here.length, here[0], here.at(-1)], [1_000, 'note 1005', 'note 6'])
    const there = await lonelyBoard({ self: OTHER })
    const entries = entriesOf(set)
    await Promise.all(entries.toReversed().map((entry) => there.set.merge(entry, SELF)))
    assert.deepEqual(await texts(there.board), here)
    const id = await first(board)
    await Promise.all(Array.from({ length: 1_500 }, (_, at) => board.edit(id, `changed ${at}`)))
    assert.equal((await board.list())[0]?.text, 'changed 1499')
    await board[Symbol.asyncDispose]()
    assert.ok((await readFile(file, 'utf8')).split('\n').length < 2_100)
    await there.board[Symbol.asyncDispose]()
  })

  test('what was noted is on disk, also while the file is written anew for what was changed in between', async () => {
    const { board, file } = await lonelyBoard()
    await board.add('changing')
    const id = await first(board)
    const edits = Array.from({ length: 1_100 }, (_, at) => board.edit(id, `changed ${at}`))
    const noted: string[] = []
    const notes = Array.from({ length: 20 }, async (_, at) => noted.push((await board.add(`meanwhile ${at}`)).text))
    const written = new AbortController()
    const over = Promise.all([...edits, ...notes]).finally(() => written.abort())
    for (let looks = 0; !written.signal.aborted || looks < 50; looks += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      const kept = readFileSync(file, 'utf8')
      const lost = noted.filter((text) => !kept.includes(`${text}\\"`))
      assert.deepEqual(lost, [])
    }
    await over
    assert.equal(noted.length, 20)
    await board[Symbol.asyncDispose]()
    const kept = await readFile(file, 'utf8')
    assert.ok(kept.split('\n').length < 100)
    const again = await lonelyBoard({ file, starts: 2 })
    assert.equal((await texts(again.board)).length, 21)
    await again.board[Symbol.asyncDispose]()
  })

  test('author and admin change a note at the same time: all nodes come to the same', async () => {
    const author = await lonelyBoard({ role: 'admin' })
    const admin = await lonelyBoard({ self: OTHER, role: 'admin' })
    await author.board.add('first')
    const give = async (from: typeof author, to: typeof author) => {
      for (const entry of entriesOf(from.set)) if (to.set.wants(entry.key, entry.version)) await to.set.merge(entry, entry.author)
    }
    await give(author, admin)
    const id = await first(author.board)
    await Promise.all([author.board.edit(id, 'by its author'), admin.board.edit(id, 'by an admin')])
    await Promise.all([give(author, admin), give(admin, author)])
    const same = await texts(author.board)
    assert.equal(same.length, 1)
    assert.deepEqual(await texts(admin.board), same)
    await admin.board.remove(id)
    await give(admin, author)
    assert.deepEqual([await texts(author.board), await texts(admin.board)], [[], []])
    await author.board[Symbol.asyncDispose]()
    await admin.board[Symbol.asyncDispose]()
  })

  test("what a node that is no admin wants of another's note counts only at itself", async () => {
    const author = await lonelyBoard({ role: 'member' })
    const other = await lonelyBoard({ self: OTHER, role: 'member' })
    await author.board.add('mine')
    for (const entry of entriesOf(author.set)) await other.set.merge(entry, SELF)
    await other.board.remove(await first(other.board))
    for (const entry of entriesOf(other.set)) await author.set.merge(entry, OTHER)
    assert.deepEqual([await texts(author.board), await texts(other.board)], [['mine'], []])
    await author.board[Symbol.asyncDispose]()
    await other.board[Symbol.asyncDispose]()
  })

  test('what is no note is refused, and too long a one', async () => {
    const { board, set } = await lonelyBoard()
    await assert.rejects(board.add('x'.repeat(LIMITS.noteBytes + 1)), { code: 'too_large' })
    await assert.rejects(board.edit('nothing', 'x'), { code: 'not_found' })
    const good = { key: `${OTHER}/0abcdefgh-000`, author: OTHER, version: 1, signature: '' }
    for (const payload of ['', 'x', '{}', '{"text":"x","at":1,"stamp":0}', JSON.stringify({ text: 'é'.repeat(3_000), at: 1, stamp: 1 })])
      await assert.rejects(set.merge({ ...good, payload }, OTHER))
    for (const key of [
      OTHER,
      `${OTHER}/x`,
      `${OTHER}/on/${OTHER}/0abcdefgh-000`,
      `${OTHER}/on/x/0abcdefgh-000`,
      `${OTHER}/0abcdefgh-000/x`,
    ])
      assert.equal(set.wants(key, 5), false, key)
    assert.deepEqual(await texts(board), [])
    await board[Symbol.asyncDispose]()
  })

  test('a peer states the greatest number of a change: an admin has the last word all the same', async () => {
    const admin = await lonelyBoard({ role: 'admin' })
    const key = `${OTHER}/0abcdefgh-000`
    const say = async (version: number, stamp: number): Promise<unknown> =>
      await admin.set.merge({ key, author: OTHER, version, signature: '', payload: JSON.stringify({ text: 'bad', at: 1, stamp }) }, OTHER)
    await assert.rejects(say(1, Number.MAX_SAFE_INTEGER))
    await say(2, 1_000_000)
    await admin.board.edit(key, 'better')
    assert.deepEqual(await texts(admin.board), ['better'])
    await say(3, 1_000_000)
    assert.deepEqual(await texts(admin.board), ['better'])
    await admin.board.remove(key)
    assert.deepEqual(await texts(admin.board), [])
    await admin.board[Symbol.asyncDispose]()
  })

  test('a peer dates a note, or a change, to a time to come: no note stands above all others, and every date can be read', async () => {
    const { board, set } = await lonelyBoard({ role: 'admin' })
    assert.equal(set.wants(`${OTHER}/zzzzzzzzz-000`, 1), false)
    assert.equal(set.wants(`${OTHER}/on/${SELF}/zzzzzzzzz-000`, 1), false)
    const said = (at: number) => ({
      key: `${OTHER}/0abcdefgh-000`,
      author: OTHER,
      version: 1,
      signature: '',
      payload: JSON.stringify({ text: 'x', at, stamp: 2, by: { agent: 'a\n> b' } }),
    })
    await assert.rejects(set.merge(said(8.64e15 + 1), OTHER))
    await set.merge(said(8.64e15), OTHER)
    const [note] = await board.list()
    assert.ok((note?.edited?.at ?? Infinity) <= Date.now() + 86_400_000)
    assert.equal(note?.by.agent, 'a > b', 'one line')
    await board[Symbol.asyncDispose]()
  })

  test('whoever follows sees notes come, change and go', async () => {
    const { board } = await lonelyBoard()
    const seen: string[] = []
    const following = (async () => {
      for await (const event of board.follow()) seen.push(textOf(event))
    })()
    await board.add('one')
    await eventually('the note', () => seen.includes('one'))
    await board.edit(await first(board), 'two')
    await eventually('the change', () => seen.includes('two'))
    await board.remove(await first(board))
    await eventually('the removal', () => seen.includes('removed'))
    await board[Symbol.asyncDispose]()
    await following
    assert.deepEqual(seen, ['one', 'two', 'removed'])
  })
})

const textOf = (event: BoardEvent): string => (event.type === 'note.written' ? event.note.text : 'removed')

test('two sides of a partition write, and hold the same when they meet', { timeout: 60_000 }, async () => {
  await using mesh = await startGossipers(['A', 'B', 'C'], {
    links: [
      ['A', 'B'],
      ['B', 'C'],
    ],
  })
  const boards = new Map<string, Board & AsyncDisposable>()
  await using stack = new AsyncDisposableStack()
  const openOn = async ({ node, home }: Gossiper): Promise<void> => {
    const board = stack.use(
      await openBoard(
        { clock: systemClock, log: silentLogger, gossip: node.gossip, about: node.about },
        { file: join(home, 'board.jsonl') },
      ),
    )
    boards.set(node.name, board)
  }
  const on = (name: string): Board => boards.get(name) ?? assert.fail(name)
  await openOn(mesh.get('A'))
  await openOn(mesh.get('C'))
  await on('A').add('of A') // B has no board yet: nothing passes
  await on('C').add('of C')
  await openOn(mesh.get('B'))
  await on('B').add('of B')
  for (const name of ['A', 'B', 'C'])
    await eventually(`${name} has all`, async () => (await texts(on(name))).sort().join() === 'of A,of B,of C', 10_000)
})
