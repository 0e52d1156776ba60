import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import type { MessageId, SessionEvent, SessionId } from '@qmtcode/protocol'
import { ago, duration, shortPeerIds } from './format.ts'
import { createMessageReader } from './message-text.ts'
import { renderTable } from './table.ts'
import { failureLine, shortInput } from './tool-text.ts'
import { displayWidth, fit } from './width.ts'
import { createWriter } from './writer.ts'

test('times read as a person says them', () => {
  assert.equal(ago(1_000, 2_000), 'just now')
  assert.equal(ago(0, 65_000), '1 min ago')
  assert.equal(ago(0, 3 * 86_400_000), '3 d ago')
  assert.equal(ago(0, 60 * 86_400_000), '1970-01-01')
  assert.equal(duration(12.4), '12 ms')
  assert.equal(duration(3_400), '3.4 s')
  assert.equal(duration(125_000), '2 min 5 s')
})

test('short peer ids are as long as it takes to tell them apart', () => {
  const near = ['12D3KooWAAAAAAAA1', '12D3KooWAAAAAAAA2', '12D3KooWBBBBBBBB1']
  assert.deepEqual([...shortPeerIds(near).values()], ['12D3KooWAAAAAAAA1', '12D3KooWAAAAAAAA2', '12D3KooWBBBBBB'])
})

test('where lines would not fit, a table leaves out what it can spare, the highest first', () => {
  const columns = [
    { title: 'ID', value: () => 'ses_1234567890' },
    { title: 'NODE', value: () => 'laptop', spare: 2 },
    { title: 'PLACE', value: () => '/home/x/work', min: 6, spare: 1 },
  ]
  const head = (width?: number): string | undefined => renderTable(columns, [1], { width })[0]
  assert.equal(head(), 'ID              NODE    PLACE')
  assert.equal(renderTable(columns, [1], { width: 30 })[1], 'ses_1234567890  laptop  /home…')
  assert.equal(head(29), 'ID              PLACE')
  assert.equal(head(20), 'ID')
})

test('a table aligns wide characters, drops empty columns, and cuts what may be cut', () => {
  const columns = [
    { title: 'NAME', value: (row: { name: string; text: string }) => row.name },
    { title: 'NONE', value: () => '' },
    { title: 'TEXT', value: (row: { name: string; text: string }) => row.text, min: 4 },
  ]
  const rows = [
    { name: '漢字', text: 'a long text that goes on' },
    { name: 'x', text: 'y' },
  ]
  const lines = renderTable(columns, rows, { width: 16 })
  assert.deepEqual(lines, ['NAME  TEXT', '漢字  a long te…', 'x     y'])
  assert.ok(lines.every((line) => displayWidth(line) <= 16))
  assert.equal(fit('漢字漢字', 5), '漢字…')
})

test('what is said to a person breaks at words on a terminal, commands whole; a line for programs, and off a terminal, does not', () => {
  const written = (isTTY: boolean, isForPeople: boolean): string[] => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 24 })
    const writer = createWriter(stream, { isForPeople })
    writer.say('it stays: to go on, qmtcode attach ses_1')
    writer.line('a line of more than twenty four columns')
    return String(stream.read()).split('\n')
  }
  const said = ['it stays: to go on,', 'qmtcode attach ses_1']
  const line = 'a line of more than twenty four columns'
  assert.deepEqual(written(true, false), [...said, line, ''])
  assert.deepEqual(written(true, true), [...said, 'a line of more than', 'twenty four columns', ''])
  assert.deepEqual(written(false, true), ['it stays: to go on, qmtcode attach ses_1', line, ''])
})

test('a tool shows what a person knows it by', () => {
  assert.equal(shortInput({ command: 'ls\n-la', timeout: 3 }), 'ls -la')
  assert.equal(shortInput({ pattern: 'x', path: 'src' }), 'x in src')
  assert.equal(shortInput({ n: 1 }), '{"n":1}')
  assert.equal(shortInput({}), '')
  assert.equal(failureLine('\n\n  no such file\nmore'), 'no such file')
})

const message = (event: object): Extract<SessionEvent, { type: 'message.delta' | 'message.snapshot' | 'message.completed' }> => ({
  sessionId: 'ses_abcd' as SessionId,
  at: 0,
  turnId: 't',
  messageId: 'm' as MessageId,
  ...(event as { type: 'message.delta'; kind: 'text'; text: string }),
})
const textOf = (events: object[]): string => {
  const read = createMessageReader()
  return events.flatMap((event) => read(message(event)).map(({ text }) => text)).join('')
}
const delta = (text: string) => ({ type: 'message.delta', kind: 'text', text })
const completed = (text: string) => ({ type: 'message.completed', seq: 1, role: 'assistant', text, content: [] })

test('each character of a message comes once, whatever was lost', () => {
  assert.equal(textOf([delta('he'), delta('llo'), completed('hello')]), 'hello')
  assert.equal(textOf([delta('he'), completed('hello')]), 'hello')
  assert.equal(textOf([completed('hello')]), 'hello')
  const snapshot = { type: 'message.snapshot', textSoFar: 'hell', reasoningSoFar: '' }
  assert.equal(textOf([delta('he'), snapshot, delta('o'), completed('hello')]), 'hello')
  assert.equal(textOf([delta('ho'), completed('hello')]), 'ho\nhello')
})
