import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import test from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import { promptText } from './prompt-input.ts'

const NEVER = new AbortController().signal

function source(write?: (stdin: PassThrough) => void) {
  const stdin = new PassThrough()
  const notices: string[] = []
  write?.(stdin)
  return { stdin, signal: NEVER, notice: (text: string) => notices.push(text), notices }
}

const CASES: [title: string, given: string | undefined, piped: string | undefined, prompt: string][] = [
  ['a prompt with /dev/null', 'explain', '', 'explain'],
  ['a prompt and what is piped in', 'explain', 'LOG\n', 'explain\n\nFrom standard input:\n\nLOG\n'],
  ['only what is piped in', undefined, 'do it\n', 'do it\n'],
  ['a pipe that stays open and silent', 'explain', undefined, 'explain'],
]
for (const [title, given, piped, prompt] of CASES) {
  test(`nothing that is given on a command line is ignored: ${title}`, async () => {
    const from = source((stdin) => (piped === undefined ? undefined : stdin.end(piped)))
    assert.equal(await promptText(given, from), prompt)
    assert.equal(from.notices.length, piped === undefined ? 1 : 0)
  })
}

test('nothing at all is an error', async () => {
  await assert.rejects(
    promptText(
      undefined,
      source((stdin) => stdin.end(' \n')),
    ),
    (error) => isAppError(error, 'bad_request'),
  )
})
