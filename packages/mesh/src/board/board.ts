import { AppError, createBell, notAhead, roleIncludes } from '@qmtcode/protocol'
import type { Bell, Board, BoardEvent, Clock, Logger, Note, NoteWriter, PeerId, Role } from '@qmtcode/protocol'
import type { Gossip } from '../gossip/types.ts'
import { openBoardFile } from './board-file.ts'
import type { BoardFile } from './board-file.ts'
import { MAX_STAMP, checkText, createNumbers, readNoteEntry, writtenAt } from './note-entry.ts'
import type { NoteEntry, Said } from './note-entry.ts'
import { createNoteSet } from './note-set.ts'
import type { NoteSet } from './note-set.ts'

export interface BoardComponents {
  clock: Clock
  log: Logger
  gossip: Pick<Gossip, 'self' | 'add' | 'sign'>
  /** Opened and closed by its owner. */
  file: BoardFile
  /** As this node sees it now: admins may change others' notes. */
  about(peerId: PeerId): { name: string; role?: Role }
}

export interface OpenBoard extends Board, AsyncDisposable {
  /** What its person should know, a line each: damage of the file, until the kept copy is removed. */
  problems(): string[]
}

const DEFAULT_LIST = 100
const REWRITE_LINES = 1_000 // and twice what is held: then most of the file is outdated

/** The board of this node, from its file and with the other members. Its owner stops it before the node. */
export async function openBoard(components: Omit<BoardComponents, 'file'>, options: { file: string }): Promise<OpenBoard> {
  const file = await openBoardFile({ file: options.file, log: components.log })
  const board = createBoard({ ...components, file })
  return {
    ...board,
    problems: () => file.damaged.map((kept) => damageOf(options.file, kept)),
    [Symbol.asyncDispose]: async () => {
      board.stop()
      await file.close()
    },
  }
}

const damageOf = (file: string, kept: string): string =>
  `${file} was damaged: what could be read of it is on the board; as it was, it is kept as ${kept}: remove that once you have looked`

/** The board as this node holds it. */
function createBoard(components: BoardComponents): Board & { stop(): void } {
  const { gossip, file, log, clock } = components
  const bell = createBell()
  const readable = file.entries.filter((entry) => isReadable(entry, log))
  const notes = createNoteSet({
    entries: readable,
    keep: async (entry, taken) => {
      await file.append(entry, taken)
      tidy(components, notes)
    },
    changed: bell.ring,
    isPreferred: (speaker) => roleIncludes(components.about(speaker).role, 'client'),
  })
  gossip.add(notes)
  const own = readable
    .filter(({ author, key }) => author === gossip.self && !key.includes('/on/'))
    .map(({ key }) => key.slice(key.lastIndexOf('/') + 1))
  const nextNumber = createNumbers(() => clock.now(), own.sort().at(-1))
  const stopped = new AbortController()

  async function say(noteId: string, said: Said): Promise<Note | undefined> {
    const [author, number] = noteId.split('/')
    const id = author === gossip.self ? number : `on/${noteId}`
    const entry = await gossip.sign(notes.name, { id, payload: JSON.stringify(said) })
    let note: Note | undefined
    await file.append(entry, () => {
      notes.put(entry)
      note = noteNow(components, notes.of(noteId))
    })
    tidy(components, notes)
    return note
  }
  /** What a change of a note begins with; it counts over all that was said before. Throws not_found. */
  function changing(id: string): Said {
    const said = notes.of(id)
    const note = noteNow(components, said)
    if (!note) throw new AppError('not_found', `no note ${id} on the board`, { hint: 'to list them: qmtcode board' })
    const stamp = Math.min(Math.max(...said.map((one) => one.said.stamp)) + 1, MAX_STAMP)
    return { at: clock.now(), stamp, ...(note.peerId === gossip.self && { by: note.by }) }
  }
  return {
    list: async ({ peerId, match, limit = DEFAULT_LIST } = {}) => {
      const words = match?.toLowerCase()
      return listed(components, notes)
        .filter(
          (note) => (peerId === undefined || note.peerId === peerId) && (words === undefined || note.text.toLowerCase().includes(words)),
        )
        .slice(0, limit)
    },
    add: async (text, by: NoteWriter = {}) => {
      checkText(text)
      const note = await say(`${gossip.self}/${nextNumber()}`, { text, at: clock.now(), stamp: 1, by })
      if (!note) throw new AppError('internal', 'a new note is not on the board')
      return note
    },
    edit: async (id, text) => {
      checkText(text)
      const note = await say(id, { ...changing(id), text })
      if (!note) throw new AppError('conflict', `note ${id} was removed meanwhile`)
      return note
    },
    remove: async (id) => {
      await say(id, changing(id))
    },
    follow: ({ signal } = {}) =>
      changes(() => listed(components, notes), bell, signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal),
    stop: () => stopped.abort(),
  }
}

function isReadable(entry: NoteEntry['entry'], log: Logger): boolean {
  try {
    readNoteEntry(entry)
    return true
  } catch (error) {
    log.warn('a note on disk cannot be read', { key: entry.key, error: String(error) })
    return false
  }
}

function tidy({ file, log }: BoardComponents, notes: NoteSet): void {
  if (file.lines < REWRITE_LINES || file.lines < 2 * notes.size) return
  file
    .rewrite(() => Array.from(notes.all(), ({ entry }) => entry))
    .catch((error: unknown) => log.warn('the board could not be written anew', { error: String(error) }))
}

/** The newest first. */
function listed(components: BoardComponents, notes: NoteSet): Note[] {
  const ids = new Set(Array.from(notes.all(), ({ noteId }) => noteId))
  const all = [...ids].map((id) => noteNow(components, notes.of(id))).filter((note) => note !== undefined)
  return all.sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
}

/** What counts of all that is said of one note: the author's word or an admin's, whichever has the greatest stamp. */
function noteNow({ about, gossip }: BoardComponents, said: readonly NoteEntry[]): Note | undefined {
  const first = said.find(({ entry, noteAuthor }) => entry.author === noteAuthor)
  if (!first) return undefined
  const speaks = (peerId: PeerId): boolean => peerId === first.noteAuthor || peerId === gossip.self || about(peerId).role === 'admin'
  const counting = said.filter(({ entry }) => speaks(entry.author))
  const now = counting.reduce((best, next) => (isLater(next, best) ? next : best), first)
  if (now.said.text === undefined) return undefined
  const { author } = now.entry
  return {
    id: first.noteId,
    peerId: first.noteAuthor,
    node: about(first.noteAuthor).name,
    by: first.said.by ?? {},
    text: now.said.text,
    at: notAhead(writtenAt(first.noteId)),
    ...(now.said.stamp > 1 && { edited: { at: now.said.at, peerId: author, node: about(author).name } }),
  }
}

/** Two that changed it at once: the same one counts everywhere. At the end of the order an admin's word counts over the author's. */
function isLater(a: NoteEntry, b: NoteEntry): boolean {
  if (a.said.stamp !== b.said.stamp) return a.said.stamp > b.said.stamp
  if (a.said.stamp === MAX_STAMP && isAuthors(a) !== isAuthors(b)) return isAuthors(b)
  return a.entry.author > b.entry.author
}

const isAuthors = ({ entry, noteAuthor }: NoteEntry): boolean => entry.author === noteAuthor

/** What differs from what was told before; nothing is queued, so a slow reader only sees fewer steps. */
async function* changes(list: () => Note[], bell: Bell, signal: AbortSignal): AsyncGenerator<BoardEvent> {
  let told = new Map(list().map((note) => [note.id, JSON.stringify(note)]))
  while (!signal.aborted) {
    const heard = bell.heard({ signal })
    const now = new Map(list().map((note) => [note.id, { note, text: JSON.stringify(note) }]))
    const before = told
    told = new Map([...now].map(([id, { text }]) => [id, text]))
    for (const [id, { note, text }] of [...now].toReversed()) if (before.get(id) !== text) yield { type: 'note.written', note }
    for (const id of before.keys()) if (!now.has(id)) yield { type: 'note.removed', id }
    await heard
  }
}
