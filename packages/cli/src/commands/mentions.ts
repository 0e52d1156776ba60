import { toAppError } from '@qmtcode/protocol'
import type { PromptContent, SessionId, Sessions } from '@qmtcode/protocol'
import { printableLine } from '../output/printable.ts'

const MAX_FILES = 20

/** A prompt with the files that it names as `@path` or `@"a path"`, read from the host of the session. */
export interface ReadPrompt {
  content: PromptContent
  /** One line for each name that is left as it was written. */
  notices: string[]
}

export async function readMentions(sessions: Sessions, id: SessionId, text: string): Promise<ReadPrompt> {
  const content: PromptContent = [{ type: 'text', text }]
  const notices: string[] = []
  const names = mentionsIn(text)
  for (const name of names.slice(0, MAX_FILES)) {
    const found = await readFirst(sessions, id, name)
    if ('part' in found) content.push(found.part)
    else notices.push(`@${printableLine(name, 200)} is left as it is: ${printableLine(found.problem, 300)}`)
  }
  if (names.length > MAX_FILES) notices.push(`only the first ${MAX_FILES} files are attached`)
  return { content, notices }
}

/** Names after an `@` that begins a word, once each. */
export function mentionsIn(text: string): string[] {
  const found = [...text.matchAll(/(?:^|\s)@(?:"([^"\n]+)"|([^\s"]+))/g)]
  return [...new Set(found.map(([, quoted, bare]) => quoted ?? bare ?? ''))]
}

type Found = { part: PromptContent[number] } | { problem: string }

/** As it is written; else without what ends a sentence. */
async function readFirst(sessions: Sessions, id: SessionId, name: string): Promise<Found> {
  const first = await read(sessions, id, name)
  const bare = name.replace(/[.,;:!?)\]}'"]+$/, '')
  if ('part' in first || bare === name || bare === '') return first
  const second = await read(sessions, id, bare)
  return 'part' in second ? second : first
}

async function read(sessions: Sessions, id: SessionId, path: string): Promise<Found> {
  try {
    const { mediaType, data } = await sessions.readFile(id, path)
    if (mediaType === 'application/octet-stream') return { problem: 'it is a binary file' }
    return { part: { type: 'file', mediaType, data, filename: path.slice(-255) } }
  } catch (error) {
    return { problem: toAppError(error).message }
  }
}
