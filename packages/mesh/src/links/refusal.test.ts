import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerId } from '@qmtcode/protocol'
import type { Hello } from '../handshake/hello.ts'
import { refusalOf, serviceRefusalOf } from './refusal.ts'

const self = `12D3KooW${'a'.repeat(44)}` as PeerId
const other = `12D3KooW${'b'.repeat(44)}`
const hello = (fields: Partial<Hello>): Hello => ({ v: 1, name: 'b', version: '1', state: 'unknown', services: [], ...fields })

test('a refusal names the line to run over there', () => {
  const command = `qmtcode peers admit ${self} --role client`
  assert.equal(refusalOf('b', self, hello({ command }))?.hint, `on b, run: ${command}`)
  assert.equal(serviceRefusalOf('b', self, hello({ state: 'admitted', command }), 'models')?.hint, `on b, run: ${command}`)
})

test('a refusing peer cannot propose a line that admits somebody else', () => {
  const command = `qmtcode peers admit ${other} --role admin`
  assert.equal(refusalOf('b', self, hello({ command }))?.hint, `on b, run: qmtcode peers admit ${self}`)
  assert.equal(
    serviceRefusalOf('b', self, hello({ state: 'admitted', command }), 'models')?.hint,
    `on b, run: qmtcode peers role ${self} client`,
  )
})
