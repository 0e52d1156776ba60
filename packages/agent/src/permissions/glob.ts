/** `*` any but `/`, `**` any, `?` one, `[abc]`, `{a,b}`; dot files are files like others. A pattern without `/` matches the last name of a path. */
export function pathMatches(pattern: string, path: string): boolean {
  if (!pattern.includes('/')) return compile(pattern, 'path').test(path.slice(path.lastIndexOf('/') + 1))
  return compile(pattern, 'path').test(path)
}

/** `*` any text, `?` one character. */
export const textMatches = (pattern: string, text: string): boolean => compile(pattern, 'text').test(text)

const compiled = new Map<string, RegExp>()
const MAX_COMPILED = 1_000

function compile(pattern: string, kind: 'path' | 'text'): RegExp {
  const key = `${kind}:${pattern}`
  const known = compiled.get(key)
  if (known) return known
  const source = pattern.replace(kind === 'path' ? PATH_TOKEN : TEXT_TOKEN, (token) =>
    kind === 'path' ? pathToken(token) : textToken(token),
  )
  const made = new RegExp(`^${source}$`, 'su')
  if (compiled.size < MAX_COMPILED) compiled.set(key, made)
  return made
}

const PATH_TOKEN = /\*\*\/|\/\*\*$|\*+|\?|\[[^\]/]+\]|\{[^{}]*\}|[\s\S]/gu
const TEXT_TOKEN = /\*+|\?|[\s\S]/gu

function pathToken(token: string): string {
  if (token === '**/') return '(?:.*/)?'
  if (token === '/**') return '(?:/.*)?'
  if (token === '*') return '[^/]*'
  if (/^\*{2,}$/.test(token)) return '.*'
  if (token === '?') return '[^/]'
  if (token.length > 2 && token.startsWith('[')) {
    const negated = token[1] === '!' || token[1] === '^'
    return `[${negated ? '^' : ''}${token.slice(negated ? 2 : 1, -1).replace(/[\\\][&|~^]/g, '\\$&')}]`
  }
  if (token.length > 1 && token.startsWith('{')) {
    const choices = token.slice(1, -1).split(',')
    return `(?:${choices.map((choice) => choice.replace(PATH_TOKEN, (inner) => pathToken(inner))).join('|')})`
  }
  return escape(token)
}

function textToken(token: string): string {
  if (token.startsWith('*')) return '.*'
  return token === '?' ? '.' : escape(token)
}

const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
