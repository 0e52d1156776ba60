import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DurableEvent, Json } from '@qmtcode/protocol'
import { createPermissions } from '../permissions/permissions.ts'
import type { PermissionRule } from '../permissions/types.ts'
import type { Workspace } from '../tools/workspace.ts'
import { claimOf } from './claim.ts'
import { grantedBefore, judge } from './judge.ts'
import type { CallUpdate } from './updates.ts'

const place = (given: string) => ({ given, real: `/w/${given}`, shown: given, place: 'workspace' as const })
const workspace = { root: '/w', locate: place, resolve: async (given: string) => place(given) } as unknown as Workspace
const confinement = { kind: 'sandbox' as const, wrap: <T>(one: T) => Promise.resolve(one), network: true }
const call = (rawInput: Json): CallUpdate => ({ callId: 'c', kind: 'execute', rawInput }) as unknown as CallUpdate

test('a rule is about what happens: where some files may not be read, an agent asks for each search of a directory as for a command', async () => {
  const real = await mkdtemp(join(tmpdir(), 'qmt-judge-'))
  try {
    await writeFile(join(real, 'a'), '')
    const at = { ...workspace, resolve: async (given: string) => ({ ...place(given), real: join(real, given) }) }
    const needsOf = async (path: string, rules: PermissionRule[]) => {
      const permissions = createPermissions({ rules }).forSession({ allow: [], granted: [], confinement })
      const claim = claimOf({ toolCallId: 'c', kind: 'search', rawInput: { path } }, 'grep')
      return (await judge(claim, { workspace: at, permissions }, { forGuest: false, mode: 'build', guestShell: 'no' })).needs
    }
    const deny: PermissionRule = { tool: 'read', match: '*.env', action: 'deny' }
    assert.deepEqual([await needsOf('.', [deny]), await needsOf('a', [deny]), await needsOf('.', [])], [['shell'], [], []])
  } finally {
    await rm(real, { recursive: true })
  }
})

/** What was allowed for the session, and what then runs unasked: exactly that. */
const CASES: { granted: Json; asked: Json; action: 'allow' | 'ask' }[] = [
  { granted: { command: 'make' }, asked: { command: 'make' }, action: 'allow' },
  { granted: { command: 'make' }, asked: { command: 'make', description: 'builds', timeout: 5 }, action: 'allow' },
  { granted: { command: 'make' }, asked: { command: 'make install' }, action: 'ask' },
  { granted: { command: 'make' }, asked: { command: 'make', args: ['install'] }, action: 'ask' },
  { granted: { command: 'make', args: ['x'] }, asked: { command: 'make' }, action: 'ask' },
  { granted: { command: 'make', cwd: 'a' }, asked: { command: 'make', cwd: 'a' }, action: 'ask' },
  { granted: { command: ['echo', 'a b'] }, asked: { command: ['echo', 'a', 'b'] }, action: 'ask' },
  { granted: { command: 'make' }, asked: { command: 'make', env: { CC: 'x' } }, action: 'ask' },
  { granted: {}, asked: {}, action: 'ask' },
  { granted: {}, asked: { command: 'make' }, action: 'ask' },
]

for (const { granted, asked, action } of CASES) {
  test(`allow_session of an agent's command ${JSON.stringify(granted)}: ${JSON.stringify(asked)} is ${action}`, async () => {
    const { paths, command, isMore } = claimOf(call(granted), 'execute')
    const input = { title: 't', paths, ...(command !== undefined && { command }), ...(isMore && { more: true }) }
    const request = { type: 'permission.requested', id: 'p', tool: 'execute', input, needs: ['shell'], author: { node: 'here' } }
    const answered = { type: 'permission.answered', id: 'p', answer: 'allow_session' }
    const grants = grantedBefore([request, answered] as unknown as DurableEvent[], undefined, workspace).map(({ subject }) => subject)
    const permissions = createPermissions().forSession({ allow: [], granted: grants, confinement })
    const decision = await judge(
      claimOf(call(asked), 'execute'),
      { workspace, permissions },
      { forGuest: false, mode: 'build', guestShell: 'no' },
    )
    assert.equal(decision.action, action)
  })
}
