import type { LanguageModelV4FilePart, LanguageModelV4Prompt } from '@ai-sdk/provider'
import { AppError } from '@qmtcode/protocol'
import { soundText } from './sound-text.ts'

/** The kinds of files that models were seen to refuse, for as long as this process runs. */
export interface RefusedFiles {
  /** The prompt with a note in the place of each file that this model refused before. */
  omit(id: string, prompt: LanguageModelV4Prompt): LanguageModelV4Prompt
  /**
   * Learns from a failed call. `retry`: the files stand in earlier messages, and the call may be made without them.
   * An AppError: the person's last message has them, and must know. Undefined: the failure is about something else.
   */
  learn(id: string, prompt: LanguageModelV4Prompt, error: AppError): 'retry' | AppError | undefined
}

type FileKind = 'images' | 'PDF files' | 'audio' | 'such files'

const MAX_MODELS = 200
const ABOUT_FILES =
  /image|vision|multi-?modal|modalit|media|audio|pdf|document|\bfiles?\b|attachment|content.{0,20}(type|part)|must be a string|expected.{0,20}string|unknown variant/i

export function createRefusedFiles(): RefusedFiles {
  const refused = new Map<string, Set<FileKind>>()
  return {
    omit(id, prompt) {
      const kinds = refused.get(id)
      return kinds === undefined ? prompt : without(prompt, kinds)
    },
    learn(id, prompt, error) {
      const files = prompt.flatMap(filesOf)
      if (files.length === 0 || !isRefusal(error)) return undefined
      if (refused.size >= MAX_MODELS) refused.clear()
      const kinds = new Set([...(refused.get(id) ?? []), ...files.map(kindOf)])
      refused.set(id, kinds)
      const last = prompt.findLast(({ role }) => role === 'user')
      const own = last === undefined ? [] : filesOf(last)
      return own.length === 0 ? 'retry' : refusal(id, own, error)
    },
  }
}

/** A server that failed for another reason says so by its status; a refused file is the request's fault, or 500 at servers that know no better. */
function isRefusal({ code, message, details }: AppError): boolean {
  if (code === 'unsupported') return true
  const status = details?.status
  const isRequest = status !== undefined && status !== 401 && status !== 403 && status !== 429 && status < 502
  return isRequest && ABOUT_FILES.test(message)
}

function refusal(id: string, files: readonly LanguageModelV4FilePart[], error: AppError): AppError {
  const names = files.map((file) => soundText(file.filename ?? `a file of type ${file.mediaType}`)).join(', ')
  const [kind] = files.map(kindOf)
  return new AppError('unsupported', `${id} takes no ${kind}: it refused ${names} (${error.message})`, {
    cause: error,
    details: error.details,
    hint: 'the session goes on without it; or take a model that reads it: qmtcode models lists what there is',
  })
}

function without(prompt: LanguageModelV4Prompt, kinds: ReadonlySet<FileKind>): LanguageModelV4Prompt {
  return prompt.map((message) => {
    if (message.role !== 'user') return message
    const content = message.content.map((part) => (part.type === 'file' && kinds.has(kindOf(part)) ? noteOf(part) : part))
    return { ...message, content }
  })
}

const noteOf = (file: LanguageModelV4FilePart): { type: 'text'; text: string } => ({
  type: 'text',
  text: `[${file.filename ?? 'A file'} (${file.mediaType}) was attached here. This model does not take ${kindOf(file)}.]`,
})

const filesOf = (message: LanguageModelV4Prompt[number]): LanguageModelV4FilePart[] =>
  message.role === 'user' ? message.content.filter((part) => part.type === 'file') : []

function kindOf({ mediaType }: LanguageModelV4FilePart): FileKind {
  if (mediaType.startsWith('image')) return 'images'
  if (mediaType.startsWith('audio')) return 'audio'
  return mediaType === 'application/pdf' ? 'PDF files' : 'such files'
}
