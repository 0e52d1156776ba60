import { fileURLToPath } from 'node:url'

/** What the input of an agent's call names. Its keys are the agent's own, so rather too much is taken for a path than too little. */
export interface CallInput {
  paths: string[]
  urls: string[]
  /** Something in it would run. */
  hasCommand: boolean
  /** Each path is one that we read as the agent does. */
  isClear: boolean
}

const MAX_DEPTH = 4
const MAX_VALUES = 1_000
const MAX_PATH_CHARS = 4_096

const PATH_KEY =
  /(?:^|_)(?:path|file|filename|dir|directory|folder|source|destination|cwd|uri|url)s?$|(?:Path|File|Dir|Directory|Uri|Url)s?$/
const COMMAND_KEY = /^(?:commands?|cmd|command_?line|script|shell|bash|exec|argv)$/i
/** Beside these, a relative path is not relative to the workspace. */
const BASE_KEY = /^(?:cwd|work(?:ing)?_?dir(?:ectory)?|root|base(?:_?dir)?)$/i
/** What is written or shown: a line of it that looks like a path is none. */
const TEXT_KEY =
  /^(?:old|new)_?(?:string|str|text)$|^(?:content|contents|text|file_text|insert_?(?:text|line)?|description|title|prompt|message)$/i

export function readInput(input: unknown, told: readonly string[]): CallInput {
  const found: CallInput = { paths: [], urls: [], hasCommand: false, isClear: true }
  for (const path of told) addPlace(found, path)
  let values = 0
  let hasBase = false
  const read = (value: unknown, key: string, depth: number): void => {
    values += 1
    if (depth > MAX_DEPTH || values > MAX_VALUES) found.isClear = false
    else if (typeof value === 'string') addText(found, key, value)
    else if (Array.isArray(value)) for (const item of value) read(item, key, depth + 1)
    else if (typeof value === 'object' && value !== null) for (const [name, item] of Object.entries(value)) read(item, name, depth + 1)
    else if (value !== null && value !== undefined && PATH_KEY.test(key)) found.isClear = false
    if (isSaid(value) && COMMAND_KEY.test(key)) found.hasCommand = true
    if (isSaid(value) && BASE_KEY.test(key)) hasBase = true
  }
  read(input, '', 0)
  const paths = [...new Set(found.paths)]
  const isMovedBase = hasBase && paths.some((path) => !/^[/~]/.test(path))
  return { ...found, paths, isClear: found.isClear && !isMovedBase }
}

const isSaid = (value: unknown): boolean => value !== undefined && value !== null && value !== ''

function addText(found: CallInput, key: string, text: string): void {
  if (PATH_KEY.test(key)) {
    if (text !== '') addPlace(found, text)
  } else if (!TEXT_KEY.test(key) && LOOKS_LIKE_PLACE.test(text)) addPlace(found, text)
}

/** Under a key that does not say so: what begins as only a path or an address does. */
const LOOKS_LIKE_PLACE = /^(?:\/|~|\.\.?(?:\/|$)|[a-z][a-z0-9+.-]+:\/)[^\n]*$/i

function addPlace(found: CallInput, text: string): void {
  if (/^https?:\/\//i.test(text)) {
    found.urls.push(text)
    return
  }
  const path = plainPath(text)
  found.paths.push(path)
  found.isClear &&= path.length <= MAX_PATH_CHARS && !UNCLEAR.test(path)
}

/** Patterns, variables, homes of others, addresses, control characters: another program may read them as another file. */
const UNCLEAR = /[*?{}`\p{Cc}]|^\$|\$[({]|^~[^/]|^[a-z][a-z0-9+.-]+:|^$/iu

function plainPath(path: string): string {
  if (!path.startsWith('file:')) return path
  try {
    return fileURLToPath(path)
  } catch {
    return path
  }
}
