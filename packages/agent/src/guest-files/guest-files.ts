import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Logger } from '@qmtcode/protocol'
import { isWithin } from '../tools/real-path.ts'
import { changedSince } from './changed-since.ts'
import { openGuestFilesStore } from './store.ts'
import type { GuestFilesState } from './store.ts'
import type { BegunWrite, GuestFiles, GuestWrite, Span, UnseenFile } from './types.ts'

export interface GuestFilesComponents {
  clock: Pick<Clock, 'now'>
  log: Logger
}

/** Of one workspace; beyond it all of that counts. */
const MAX_NAMED = 500
/** Texts that were written over before the person saw them; beyond it the oldest two are one, anywhere. */
const MAX_LOST = 500

export function createGuestFiles({ clock, log }: GuestFilesComponents, { qmtHome }: { qmtHome: string }): GuestFiles {
  const store = openGuestFilesStore(join(qmtHome, 'guest_files.json'), { log, now: () => clock.now() })
  return {
    writing: async (write) => {
      const state = await store.state()
      const { path } = write
      const begun = path === undefined ? beginCommand(state, write, clock) : await beginFile(state, { ...write, path }, clock)
      await store.save()
      return {
        id: begun.id,
        ended: async (end) => {
          await begun.ended(end)
          await store.save()
        },
      }
    },
    look: async (reach) => {
      const { unseen, lost } = await store.state()
      if (unseen.length === 0 && lost.length === 0) return { unseen: [], hasLost: false }
      const { covers, spans } = await reach()
      const isRead = ({ from, to }: Span): boolean => spans.some((span) => from <= span.to && span.from <= to)
      return { unseen: unseen.filter(covers), hasLost: lost.some((one) => covers(one) && isRead(one)) }
    },
    approve: async (files) => {
      const state = await store.state()
      const shown = new Set(files.map(({ id }) => id))
      const taken = state.unseen.filter(({ id, isRunning }) => shown.has(id) && isRunning !== true)
      remove(state, taken)
      for (const { path, isWhole, since, last } of taken) if (since < last) lose(state, { path, isWhole, from: since, to: last })
      await store.save()
    },
  }
}

/** While it runs, it may have written anything there. */
function beginCommand(state: GuestFilesState, { root, by }: GuestWrite, clock: Pick<Clock, 'now'>): BegunWrite {
  const since = clock.now()
  const begun: UnseenFile = { path: root, by, isWhole: true, id: nextId(state), since, last: since, isRunning: true }
  state.unseen.push(begun)
  const ended = async (): Promise<void> => {
    const changed = (await changedSince(root, since)) ?? [{ path: root, isWhole: true }]
    remove(state, [begun])
    for (const file of changed) note(state, { ...file, by, since, last: clock.now() })
    bound(state, root)
  }
  return { id: begun.id, ended }
}

/** A call that failed and left the file as it was wrote nothing. */
async function beginFile(state: GuestFilesState, { root, path, by }: Required<GuestWrite>, clock: Pick<Clock, 'now'>): Promise<BegunWrite> {
  const before = await stampOf(path)
  const isNew = !state.unseen.some((one) => one.path === path)
  const now = clock.now()
  const noted = note(state, { path, isWhole: false, by, since: now, last: now })
  bound(state, root)
  const ended = async ({ isError }: { isError: boolean }): Promise<void> => {
    if (isError && isNew && (await stampOf(path)) === before) return remove(state, [noted])
    const last = clock.now()
    if (isNew) remove(state, [noted]) // its one text was never another
    note(state, { path, isWhole: false, by, since: isNew ? last : now, last })
  }
  return { id: noted.id, ended }
}

/** One entry a path: what was written there earlier may have been read meanwhile. */
function note(state: GuestFilesState, { path, isWhole, by, since, last }: Omit<UnseenFile, 'id' | 'isRunning'>): UnseenFile {
  const id = nextId(state)
  const before = state.unseen.find((one) => one.path === path && one.isRunning !== true)
  if (before) return Object.assign(before, { isWhole: isWhole || before.isWhole, by, id, since: Math.min(before.since, since), last })
  const file = { path, isWhole, by, id, since, last }
  state.unseen.push(file)
  return file
}

function bound(state: GuestFilesState, root: string): void {
  const within = state.unseen.filter(({ path, isRunning }) => isRunning !== true && isWithin(root, path))
  const [first] = within
  if (!first || within.length <= MAX_NAMED) return
  remove(state, within)
  const [since, last] = [Math.min(...within.map((one) => one.since)), Math.max(...within.map((one) => one.last))]
  note(state, { path: root, isWhole: true, by: first.by, since, last })
}

function nextId(state: GuestFilesState): number {
  state.nextId += 1
  return state.nextId
}

function remove(state: GuestFilesState, files: readonly UnseenFile[]): void {
  const ids = new Set(files.map(({ id }) => id))
  state.unseen = state.unseen.filter(({ id }) => !ids.has(id))
}

function lose(state: GuestFilesState, lost: GuestFilesState['lost'][number]): void {
  state.lost.push(lost)
  if (state.lost.length <= MAX_LOST) return
  const [one, other] = state.lost.splice(0, 2)
  if (!one || !other) return
  state.lost.unshift({ path: '/', isWhole: true, from: Math.min(one.from, other.from), to: Math.max(one.to, other.to) })
}

/** Which file it is, as it is: undefined for none. */
async function stampOf(path: string): Promise<string | undefined> {
  const found = await lstat(path, { bigint: true }).catch(() => undefined)
  return found && `${found.dev} ${found.ino} ${found.ctimeNs}`
}
