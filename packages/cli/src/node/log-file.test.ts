import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AppError } from '@qmtcode/protocol'
import { openLogFile } from './log-file.ts'

const newHome = (): string => mkdtempSync(join(tmpdir(), 'qmt-log-'))

test('the log is for its own user only, also one that was there', () => {
  const home = newHome()
  const file = join(home, 'qmtcode.log')
  writeFileSync(file, '')
  chmodSync(file, 0o644)
  openLogFile(home).close()
  assert.equal(statSync(file).mode & 0o777, 0o600)
})

test('a log that is written without end takes two files of ten megabytes', () => {
  const home = newHome()
  const { logger, close } = openLogFile(home)
  const fields = { text: 'x'.repeat(1_000_000) }
  for (let at = 0; at < 35; at += 1) logger.info('refused', { ...fields, at })
  close()
  assert.deepEqual(readdirSync(home).toSorted(), ['qmtcode.log', 'qmtcode.log.1'])
  for (const name of readdirSync(home)) {
    assert.ok(statSync(join(home, name)).size <= 10_000_000, name)
    assert.equal(statSync(join(home, name)).mode & 0o777, 0o600)
  }
  assert.match(readFileSync(join(home, 'qmtcode.log'), 'utf8'), /"at":34,/)
})

test('an error is its words: no request, no answer, no key beside it', () => {
  const home = newHome()
  const { logger, close } = openLogFile(home)
  const cause = Object.assign(new Error('status 401'), {
    requestBodyValues: { prompt: 'private words' },
    responseHeaders: { 'x-key': 'sk-1' },
  })
  logger.child('models').warn('a call failed', { error: new AppError('provider_error', 'refused', { cause }), apiKey: 'sk-2' })
  close()
  const text = readFileSync(join(home, 'qmtcode.log'), 'utf8')
  assert.match(text, /AppError: refused ← Error: status 401/)
  assert.doesNotMatch(text, /private words|sk-/)
})

test('a disk that is full costs lines, not the node', { skip: !existsSync('/dev/full') }, () => {
  const home = newHome()
  symlinkSync('/dev/full', join(home, 'qmtcode.log'))
  const { logger, close } = openLogFile(home)
  for (let at = 0; at < 3; at += 1) logger.info('lost')
  close()
})
