/** One thing that a person can plainly ask for. */
export type Action =
  | { kind: 'list'; path?: string }
  | { kind: 'read'; path: string }
  | { kind: 'search'; pattern: string; path?: string }
  | { kind: 'run'; command: string }
  | { kind: 'write'; path: string; content: string }
  | { kind: 'ask'; question: string; choices: string[] }

export interface DemoRequest {
  actions: Action[]
  /** Pieces of the prompt that are no request it knows. */
  unknown: string[]
}

const MAX_CHARS = 4_000
const MAX_ACTIONS = 20
const VERBS =
  'list|show|read|open|print|cat|search|grep|look|find|run|execute|write|create|make|ask|summari[sz]e|tell|say|explain|describe|report|finally|please|what'
const BETWEEN = new RegExp(`(?:\\s*[;\\n]\\s*|\\s*,\\s*|\\.\\s+|\\s+(?=and\\b|then\\b))(?:and\\s+)?(?:then\\s+)?(?=(?:${VERBS})\\b)`, 'i')
const FILLER = /^(?:please|now|first|next|finally|also|and|then|can you|could you|would you|i want you to|i would like you to|go and)\s+/i
const TALK = /^(?:summari[sz]e|tell|say|explain|describe|report)\b/i
const FILES = /\b(?:files|director(?:y|ies)|folders?)\b/i
/** Words that stand for the workspace itself. */
const HERE = /^(?:the|this|my|our|all|everything|here|it|files?|workspace|director(?:y|ies)|folders?|project|code|repo(?:sitory)?|them)$/i

/** What `text` asks for, in order. Quotes and backticks keep their content together. */
export function parseRequest(text: string): DemoRequest {
  const quoted: string[] = []
  const masked = text.slice(0, MAX_CHARS).replace(/`[^`\n]+`|"[^"\n]*"|(?<=\s|^)'[^'\n]*'(?=[\s.,;]|$)/g, (span) => {
    quoted.push(span)
    return `\uE000${quoted.length - 1}\uE000`
  })
  // The patterns below are tried at each blank: long runs of blanks, which mean nothing, would cost their cube.
  const short = masked.replace(/\s{3,}/g, (blanks) => (blanks.includes('\n') ? '\n' : ' '))
  const restore = (piece: string) => piece.replace(/\uE000(\d+)\uE000/g, (_, at: string) => quoted[Number(at)] ?? '')
  const request: DemoRequest = { actions: [], unknown: [] }
  for (const piece of short.split(BETWEEN)) {
    const clause = withoutFiller(piece)
    if (clause === '' || TALK.test(clause)) continue
    const actions = actionsOf(clause, restore)
    if (actions.length === 0) request.unknown.push(restore(clause))
    request.actions.push(...actions)
  }
  request.actions.length = Math.min(request.actions.length, MAX_ACTIONS)
  return request
}

function withoutFiller(piece: string): string {
  let clause = piece.trim().replace(/[.!?,;\s]+$/, '')
  for (let before = ''; before !== clause;) {
    before = clause
    clause = clause.replace(FILLER, '')
  }
  return clause
}

type Restore = (piece: string) => string

function actionsOf(clause: string, restore: Restore): Action[] {
  const [verb = ''] = clause.toLowerCase().split(/\s/, 1)
  const rest = clause.slice(verb.length).trim()
  switch (verb) {
    case 'list':
      return [list(rest)]
    case 'what':
      return FILES.test(rest) ? [list(rest)] : []
    case 'show':
      return FILES.test(rest) ? [list(rest)] : read(rest, restore)
    case 'read':
    case 'open':
    case 'print':
    case 'cat':
      return read(rest, restore)
    case 'search':
    case 'grep':
    case 'look':
    case 'find':
      return search(rest, restore)
    case 'run':
    case 'execute':
      return run(rest, restore)
    case 'write':
    case 'create':
    case 'make':
      return write(rest, restore)
    case 'ask':
      return ask(rest, restore)
    default:
      return []
  }
}

function list(rest: string): Action {
  const words = rest.split(/\s+/).filter((word) => !HERE.test(word) && !/^(?:me|are|is|there|in|of|under|below|which)$/i.test(word))
  return { kind: 'list', path: words.find(looksLikePath) ?? afterIn(rest) }
}

function afterIn(rest: string): string | undefined {
  const path = /\b(?:in|under|below)\s+(?:the\s+)?(\S+)/i.exec(rest)?.[1]
  return path !== undefined && !HERE.test(path) ? path : undefined
}

function read(rest: string, restore: Restore): Action[] {
  const words = rest.split(/\s*,\s*|\s+/).filter((word) => !HERE.test(word) && !/^(?:and|me|contents?|of|file)$/i.test(word))
  return words.filter(looksLikePath).map((word) => ({ kind: 'read', path: unquote(restore(word)) }))
}

const looksLikePath = (word: string): boolean => /[./\uE000]/.test(word) || /^[A-Z][\w-]*file$|^[A-Z]{3,}$/.test(word)

function search(rest: string, restore: Restore): Action[] {
  const parts = /^(?:(.*?)\s*\bfor\s+)?(.+)$/is.exec(rest)
  const wanted = /^(.+?)(?:\s+in\s+(?:the\s+)?(\S+))?$/is.exec(parts?.[2] ?? '')
  const pattern = wanted?.[1]?.replace(/^(?:the\s+)?(?:(?:word|text|string)s?|occurrences\s+of|mentions\s+of)\s+/i, '')
  if (!pattern) return []
  const place = [wanted?.[2], ...(parts?.[1] ?? '').split(/\s+/)].find(
    (word) => word && !HERE.test(word) && !/^(?:in|through|inside)$/i.test(word),
  )
  return [{ kind: 'search', pattern: unquote(restore(pattern)), path: place === undefined ? undefined : unquote(restore(place)) }]
}

function run(rest: string, restore: Restore): Action[] {
  const command = unquote(restore(rest.replace(/^(?:the\s+)?(?:shell\s+)?command\s+/i, '')))
  return command === '' ? [] : [{ kind: 'run', command }]
}

function write(rest: string, restore: Restore): Action[] {
  const named =
    /^(?:an?\s+|the\s+)?(?:new\s+)?(?:file\s+)?(?:called\s+|named\s+)?(\S+)(?:\s+(?:with|containing|saying|that\s+says)\s+(.+))?$/is.exec(
      rest,
    )
  if (named?.[1] !== undefined && looksLikePath(named[1])) {
    const content = (named[2] ?? '').replace(/^(?:the\s+)?(?:text|contents?|lines?|words?)\s*:?\s+/i, '')
    return [{ kind: 'write', path: unquote(restore(named[1])), content: unquote(restore(content)) }]
  }
  const into = /^(.+?)\s+(?:in)?to\s+(?:the\s+)?(?:file\s+)?(\S+)$/is.exec(rest)
  if (!into?.[1] || !into[2]) return []
  return [{ kind: 'write', path: unquote(restore(into[2])), content: unquote(restore(into[1])) }]
}

const MAX_CHOICES = 20

/** `me which port to use: 80, 443 or 8080`; without a colon, what can be answered is open. */
function ask(rest: string, restore: Restore): Action[] {
  const [wanted = '', offered = ''] = rest.replace(/^(?:me|us|the user)\b\s*/i, '').split(/:\s+(.*)/s, 2)
  const words = unquote(restore(wanted))
  if (words === '') return []
  const choices = offered.split(/\s*,\s*(?:or\s+)?|\s+or\s+/).map((choice) => unquote(restore(choice)))
  const question = `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[?!.]$/.test(words) ? '' : '?'}`
  return [{ kind: 'ask', question, choices: [...new Set(choices)].filter((choice) => choice !== '').slice(0, MAX_CHOICES) }]
}

function unquote(text: string): string {
  const inner = /^(["'`])(.*)\1$/s.exec(text.trim())?.[2]
  return inner ?? text.trim()
}
