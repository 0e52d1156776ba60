import type { SQLInputValue } from 'node:sqlite'
import type { PeerId, PromptId, SessionId } from '@qmtcode/protocol'
import type { EventRecord, PeerBytes, QueuedPrompt, SessionRow } from './types.ts'

const PAGE_CHARS = 524_288 // a page of large events stays within one rpc frame of 1 MiB, and is read in a few milliseconds

/** As SQLite gives it; the columns are strict, so that their types are known. */
export type Row = Record<string, SQLInputValue>

export const text = (row: Row, column: string): string => row[column] as string
const optionalText = (row: Row, column: string): string | undefined => (row[column] as string | null) ?? undefined

export const toRecord = (row: Row): EventRecord => [Number(row['seq']), Number(row['at']), text(row, 'type'), text(row, 'body')]

export const toQueuedPrompt = (row: Row): QueuedPrompt => ({
  promptId: text(row, 'prompt_id') as PromptId,
  author: JSON.parse(text(row, 'author')) as QueuedPrompt['author'],
})

export const toPeerBytes = (row: Row): PeerBytes => ({ peerId: text(row, 'peer_id') as PeerId, bytes: Number(row['bytes']) })

/** At most `limit` rows and PAGE_CHARS of text, but at least one row. */
export function readPage(rows: Iterable<Row>, limit: number): { records: EventRecord[]; more: boolean } {
  const records: EventRecord[] = []
  let chars = 0
  for (const row of rows) {
    const record = toRecord(row)
    chars += record[3].length
    if (records.length >= limit || (records.length > 0 && chars > PAGE_CHARS)) return { records, more: true }
    records.push(record)
  }
  return { records, more: false }
}

export function toSessionRow(row: Row): SessionRow {
  return {
    id: text(row, 'id') as SessionId,
    title: text(row, 'title'),
    agent: text(row, 'agent'),
    model: optionalText(row, 'model'),
    mode: row['mode'] === 'plan' ? 'plan' : 'build',
    workspace: text(row, 'workspace'),
    private: row['private'] === 1,
    unattended: row['unattended'] === 1,
    allow: JSON.parse(text(row, 'allow')) as string[],
    author: JSON.parse(text(row, 'author')) as SessionRow['author'],
    shares: JSON.parse(text(row, 'shares')) as SessionRow['shares'],
    createdAt: Number(row['created_at']),
    beganAt: Number(row['began_at'] ?? row['created_at']),
    updatedAt: Number(row['updated_at']),
    seq: Number(row['seq']),
    bytes: Number(row['bytes']),
    state: stateOf(row),
    interrupted: optionalText(row, 'interrupted') as PromptId | undefined,
  }
}

function stateOf(row: Row): SessionRow['state'] {
  if (row['closed'] === 1) return 'closed'
  if (row['turn_seq'] !== null) return Number(row['waiting']) > 0 ? 'waiting' : 'running'
  return row['interrupted'] === null ? 'idle' : 'interrupted'
}
