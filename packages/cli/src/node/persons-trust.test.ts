import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError, sessionsContract, trustContract } from '@qmtcode/protocol'
import type { Sessions, Trust } from '@qmtcode/protocol'
import { personsSessions, personsTrust } from './persons-trust.ts'

const READS = new Set(['list', 'invites', 'readInvite'])
const PERSONS = new Set(['answer', 'share'])

type Method = (...args: unknown[]) => Promise<unknown>

/** Answers each method with its name. */
const namesOf = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, () => Promise.resolve(name)]))

async function allows(port: object, name: string, isTool: boolean): Promise<void> {
  const method = (port as Record<string, Method>)[name]
  assert.ok(method, name)
  if (isTool) await assert.rejects(method({}), (error) => isAppError(error, 'forbidden'), name)
  else assert.equal(await method({}), name)
}

test("tools do not have the node's authority: every method that changes trust refuses a tool", async () => {
  const names = Object.keys(trustContract.methods)
  const trust = namesOf(names) as unknown as Trust
  for (const name of names) {
    await allows(
      personsTrust(trust, () => Promise.resolve(true)),
      name,
      !READS.has(name),
    )
    await allows(
      personsTrust(trust, () => Promise.resolve(false)),
      name,
      false,
    )
  }
})

test('a tool gives nobody rights on a session, and answers no question', async () => {
  const names = Object.keys(sessionsContract.methods)
  const sessions = namesOf(names) as unknown as Sessions
  for (const name of names) {
    await allows(
      personsSessions(sessions, () => Promise.resolve(true)),
      name,
      PERSONS.has(name),
    )
    await allows(
      personsSessions(sessions, () => Promise.resolve(false)),
      name,
      false,
    )
  }
})
