import {
  AppError,
  LIMITS,
  notAhead,
  exceedsDepth,
  noteWriterSchema,
  peerIdSchema,
  statedText,
  statedInstant,
  statedCounter,
} from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { z } from 'zod'
import type { GossipEntry } from '../gossip/types.ts'

/** Changes of one note that have an order. Whoever states so many leaves no room above: there an admin's word counts over the author's. */
export const MAX_STAMP = 1_000_000

export const saidSchema = z.object({
  /** Absent: removed. */
  text: statedText(LIMITS.noteBytes).min(1).optional(),
  at: statedInstant(),
  /** One more than what it replaces: the greatest counts, whoever says it, in whatever order it comes. It goes no further than MAX_STAMP. */
  stamp: statedCounter().min(1).max(MAX_STAMP),
  by: noteWriterSchema.optional(),
})
/** What its author, or an admin, says of a note. */
export interface Said extends z.infer<typeof saidSchema> {}

/** An entry of the board: a note by its author, or what another node wants it to be. */
export interface NoteEntry {
  entry: GossipEntry
  /** `<author>/<number>`. */
  noteId: string
  noteAuthor: PeerId
  said: Said
}

const NUMBER = /^[0-9a-z]{9}-[0-9a-z]{3}$/

/** `<author>/<number>` for one's own note, `<speaker>/on/<author>/<number>` for another's. Undefined: no key of a board. */
export function noteOfKey(key: string): { noteId: string; noteAuthor: PeerId } | undefined {
  const parts = key.split('/')
  const [author, number, ...rest] = parts[1] === 'on' ? parts.slice(2) : parts
  const id = peerIdSchema.safeParse(author)
  if (!id.success || number === undefined || rest.length > 0 || !NUMBER.test(number)) return undefined
  if (parts[1] === 'on' && author === parts[0]) return undefined // one's own is said in one place
  return { noteId: `${author}/${number}`, noteAuthor: id.data }
}

/** When a note was written, as its number says. */
export const writtenAt = (noteId: string): number => Number.parseInt(noteId.slice(noteId.lastIndexOf('/') + 1).split('-', 1)[0] ?? '', 36)

/** Whether its number is more than a day ahead of this node's clock: it would stand above all notes, and never be the oldest. */
export const isAhead = (noteId: string): boolean => {
  const at = writtenAt(noteId)
  return notAhead(at) !== at
}

/** Throws bad_request, too_large. */
export function readNoteEntry(entry: GossipEntry): NoteEntry {
  const note = noteOfKey(entry.key)
  if (!note) throw new AppError('bad_request', `not the key of a note: ${entry.key}`)
  const said = saidSchema.safeParse(parsed(entry.payload))
  if (!said.success) throw new AppError('bad_request', `a malformed note of ${entry.author}`, { cause: said.error })
  checkText(said.data.text ?? '')
  return { entry, ...note, said: said.data }
}

/** Throws too_large. */
export function checkText(text: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= LIMITS.noteBytes) return
  throw new AppError('too_large', `a note of ${bytes} bytes; at most ${LIMITS.noteBytes}`, {
    hint: 'put it into a file, and note where it is',
  })
}

function parsed(payload: string): unknown {
  try {
    const json: unknown = JSON.parse(payload)
    return exceedsDepth(json, 4) ? undefined : json
  } catch {
    return undefined
  }
}

/** Numbers of notes, which sort as they came, also across a clock that was set back. */
export function createNumbers(now: () => number, last: string | undefined): () => string {
  let [ms, count] = last === undefined ? [0, 0] : last.split('-').map((part) => Number.parseInt(part, 36))
  return () => {
    const at = now()
    if (at > (ms ?? 0)) [ms, count] = [at, 0]
    else count = (count ?? 0) + 1
    if (count >= 36 ** 3) [ms, count] = [(ms ?? 0) + 1, 0]
    return `${(ms ?? 0).toString(36).padStart(9, '0')}-${count.toString(36).padStart(3, '0')}`
  }
}
