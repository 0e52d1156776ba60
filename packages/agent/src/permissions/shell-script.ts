import { createRequire } from 'node:module'
import type * as Unbash from 'unbash'
import type { Command, Redirection, SyntaxNode, Word, WordPart } from 'unbash'

/** Stands in a text for what only the shell knows: any text, or none. */
export const UNKNOWN = '\uFFFF'

/** A command without its assignments and redirections: program first. What the shell would put in is `UNKNOWN`. */
export interface SimpleCommand {
  words: readonly string[]
  /** What it is given to read, as written: here-documents and here-strings. */
  input: readonly string[]
}

export interface ShellScript {
  /** Of the whole script: of lists, pipes, loops, functions, substitutions. */
  commands: readonly SimpleCommand[]
  /** False: it does not parse, or is too long to look at, and `commands` may lack some. */
  isClear: boolean
  /** The script is this one command, of words that no shell would change. */
  plain?: readonly string[]
}

const MAX_CHARS = 16_384 // dense ones take some 50 ms
const MAX_COMMANDS = 1_000

let latest: { text: string; script: ShellScript } | undefined

/** Never throws. */
export function readScript(text: string): ShellScript {
  // Several rules look at one command.
  if (latest?.text !== text) latest = { text, script: parseScript(text) }
  return latest.script
}

function parseScript(text: string): ShellScript {
  if (text.length > MAX_CHARS || text.includes(UNKNOWN)) return { commands: [], isClear: false }
  try {
    const { parse, forEachChild } = parser()
    const script = parse(text)
    const commands: SimpleCommand[] = []
    let isClear = true
    const visit = (node: SyntaxNode): void => {
      if (node.type === 'Command' && commands.length < MAX_COMMANDS) commands.push(simpleCommand(node))
      isClear &&= isUnderstood(node) && commands.length < MAX_COMMANDS
      forEachChild(node, visit)
    }
    visit(script)
    const [only, ...others] = script.commands
    const isOne = isClear && others.length === 0 && only?.background !== true && only?.command.type === 'Command'
    return { commands, isClear, ...(isOne && { plain: plainWords(only.command) }) }
  } catch {
    return { commands: [], isClear: false }
  }
}

let loaded: typeof Unbash | undefined

/** Only a node that has rules about commands needs it, and loading takes some 30 ms. */
function parser(): typeof Unbash {
  loaded ??= createRequire(import.meta.url)('unbash') as typeof Unbash
  return loaded
}

function isUnderstood(node: SyntaxNode): boolean {
  if (node.type === 'Script') return 'errors' in node ? (node.errors ?? []).length === 0 : true
  return (node.type !== 'CommandExpansion' && node.type !== 'ProcessSubstitution') || node.script !== undefined
}

function simpleCommand({ name, prefix, suffix }: Command): SimpleCommand {
  const words = [name, ...suffix].flatMap((one) => {
    if (one?.type === 'Word') return [textOf(one)]
    return one?.type === 'Assignment' ? [one.text] : [] // as `export` takes them
  })
  const input = [...prefix, ...suffix].flatMap((one) => (one.type === 'HereDoc' || one.type === 'HereString' ? [inputOf(one)] : []))
  return { words, input }
}

function inputOf(redirection: Extract<Redirection, { type: 'HereDoc' | 'HereString' }>): string {
  if (redirection.type === 'HereString') return redirection.target ? textOf(redirection.target) : ''
  const { body } = redirection
  return body.parts?.map((part) => knownText(part) ?? UNKNOWN).join('') ?? body.text
}

/** A `~` at the beginning is the shell's to replace. */
const textOf = (word: Word): string => {
  if (/^~|[=:]~/.test(word.text)) return UNKNOWN
  return word.parts?.map((part) => knownText(part) ?? UNKNOWN).join('') ?? word.value
}

/** Undefined: the shell puts something in. */
function knownText(part: WordPart): string | undefined {
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return part.value
    case 'DoubleQuoted':
    case 'LocaleString':
      return part.parts.map((child) => knownText(child) ?? UNKNOWN).join('')
    default:
      return undefined
  }
}

function plainWords({ name, prefix, suffix }: Command): string[] | undefined {
  const words = [name, ...suffix]
  if (prefix.length > 0 || !words.every((word): word is Word => word?.type === 'Word' && isPlain(word))) return undefined
  return words.map(textOf)
}

/** Letters and quotes, nothing that a shell replaces. `$'…'` and `$"…"` are left out: nobody needs them in a plain word. */
const isPlain = (word: Word): boolean =>
  !/[\0\uFFFF]/.test(textOf(word)) && (word.parts ?? []).every(({ type }) => ['Literal', 'SingleQuoted', 'DoubleQuoted'].includes(type))
