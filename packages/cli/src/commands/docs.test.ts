import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isAppError } from '@qmtcode/protocol'
import { parseArguments } from './arguments.ts'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const PAGES = globSync(['*.md', 'docs/**/*.md', 'interop/*.md'], { cwd: ROOT })
const pages = new Map(PAGES.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))

const withoutCode = (page: string): string => page.replaceAll(/```[^]*?```|`[^`\n]*`/g, '')

/** As GitHub names the anchor of a heading. */
const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

const anchorsOf = (path: string): string[] =>
  [...(pages.get(path) ?? readFileSync(join(ROOT, path), 'utf8')).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => slug(heading))

test('every relative link of the documentation leads somewhere', () => {
  const broken = [...pages].flatMap(([path, page]) =>
    [...withoutCode(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [file = '', anchor] = target.split('#')
        const where = file === '' ? path : join(dirname(path), file)
        if (!existsSync(join(ROOT, where))) return true
        return anchor !== undefined && !anchorsOf(where).includes(anchor)
      })
      .map((target) => `${path}: ${target}`),
  )
  assert.deepEqual(broken, [])
})

test('every command that the documentation names is in the grammar', () => {
  const wrong = [...pages].flatMap(([path, page]) =>
    commandsOf(page).flatMap((command) => complaint(command).map((why) => `${path}: ${command}: ${why}`)),
  )
  assert.deepEqual(wrong, [])
})

/** Whole lines of code blocks, and what stands in running text. */
function commandsOf(page: string): string[] {
  const blocks = [...page.matchAll(/^```(\w*)\n([^]*?)^```/gm)].flatMap(([, language = '', block = '']) =>
    ['', 'sh'].includes(language) ? block.replaceAll('\\\n', ' ').split('\n') : [],
  )
  const inline = [...page.replaceAll(/^```[^]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) =>
    code.replaceAll(String.raw`\|`, '|'),
  )
  return [...blocks, ...inline].flatMap((line) => /(?:^|\| |=\S+ )((?:npx )?qmtcode(?: .*)?)$/.exec(line)?.[1] ?? [])
}

/** Why a command line means nothing. One that only lacks its last words is how a text names a command. */
function complaint(command: string): string[] {
  return spellings(command).flatMap((words) => {
    try {
      parseArguments(words, { version: '0' })
      return []
    } catch (error) {
      if (!isAppError(error)) throw error
      const isShort = /missing required argument|needs to know what|required option|argument missing/.test(error.message)
      return isShort ? [] : [error.message]
    }
  })
}

const SESSION = 'ses_0123456789abcdef'
const PEER = '12D3KooWGC6tvWVEbLyNzTvq4bCg9UYRVWnLCfKFbTmzs4DWZy7X'
const PLACEHOLDERS: [RegExp, string][] = [
  [/12D3KooW…|\bPEER-ID\b|(?<=peers \w+ )ID\b/g, PEER],
  [/(?:ses_…|\bSESSION\b|\bID\b(?=$|\s))/g, SESSION],
  [/\[NODE\/\]/g, 'node/'],
  [/\bMULTIADDR\b|\bADDR\b/g, '/ip4/192.168.1.100/tcp/9000'],
  [/\bROLE\b/g, 'member'],
  [/[[\]]/g, ''],
  [/ …$/, ''],
]

/** The words of a command, without what stands beside it; `a|b` is two commands. */
function spellings(command: string): string[][] {
  const bare = command.replace(/^(?:npx )?qmtcode/, '').replace(/ +(?:#|\| |[<>;&]| (?=\S)).*$/, '')
  const filled = PLACEHOLDERS.reduce((text, [pattern, value]) => text.replaceAll(new RegExp(pattern, 'g'), value), bare)
  const words = [...filled.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain ?? '')
  return words.reduce<string[][]>(
    (lines, word) => lines.flatMap((line) => (/^[a-z]+(\|[a-z]+)+$/.test(word) ? word.split('|') : [word]).map((one) => [...line, one])),
    [[]],
  )
}
