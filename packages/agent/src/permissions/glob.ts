/** `*` any but `/`, `**` any, `?` one, `[abc]`, `{a,b}`; dot files are files like others. A pattern without `/` matches the last name of a path. */
export function pathMatches(pattern: string, path: string): boolean {
  return compile(pattern).test(pattern.includes('/') ? path : path.slice(path.lastIndexOf('/') + 1))
}

/** `*` any text, `?` one character. Linear in practice: the text is a model's. */
export function textMatches(pattern: string, text: string): boolean {
  let [at, p, star, resume] = [0, 0, -1, 0]
  while (at < text.length) {
    if (pattern[p] === '*') {
      star = p
      p += 1
      resume = at
    } else if (pattern[p] === '?' || pattern[p] === text[at]) {
      p += 1
      at += 1
    } else if (star !== -1) {
      p = star + 1
      resume += 1
      at = resume
    } else return false
  }
  return /^\**$/.test(pattern.slice(p))
}

/** Whether some text would match once each `unknown` of `text` is replaced by any text. In the product of both lengths. */
export function couldMatch(pattern: string, text: string, unknown: string): boolean {
  let after = Array.from({ length: text.length + 1 }, (_, at) => text.slice(at).replaceAll(unknown, '') === '')
  for (const token of pattern.split('').toReversed()) {
    const here: boolean[] = []
    for (let at = text.length; at >= 0; at -= 1) {
      const isUnknown = text[at] === unknown
      const isOne = at < text.length && (token === '?' || token === text[at]) && after[at + 1] === true
      const isAny = (token === '*' || isUnknown) && (after[at] === true || here[at + 1] === true)
      here[at] = isOne || isAny
    }
    after = here
  }
  return after[0] === true
}

const compiled = new Map<string, RegExp>()
const MAX_COMPILED = 1_000

function compile(pattern: string): RegExp {
  const known = compiled.get(pattern)
  if (known) return known
  const made = new RegExp(`^${pattern.replace(PATH_TOKEN, pathToken)}$`, 'su')
  if (compiled.size < MAX_COMPILED) compiled.set(pattern, made)
  return made
}

const PATH_TOKEN = /\*\*\/|\/\*\*$|\*+|\?|\[[^\]/]+\]|\{[^{}]*\}|[\s\S]/gu

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

const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
