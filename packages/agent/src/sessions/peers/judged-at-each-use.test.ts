import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import type { ModelPart, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { followUntil } from '@qmtcode/testing'
import { z } from 'zod'
import { createGuestFiles } from '../../guest-files/guest-files.ts'
import { createPermissions } from '../../permissions/permissions.ts'
import { createTools } from '../../tools/tool-set.ts'
import { defineTool } from '../../tools/types.ts'
import { createWorkspaceTrust } from '../../workspace-trust/workspace-trust.ts'
import { createTurnRunner } from '../../turn/runner.ts'
import { calls, says } from '../../turn/turn-kit.ts'
import type { RunTurn } from '../../turn/types.ts'
import { ALICE, BOB, startPeersKit, tell } from './peers-kit.ts'
import type { PeersKit } from './peers-kit.ts'

/** A host with one session that Alice began and Bob may prompt in; the model writes a file as soon as it is let. */
interface Stage extends AsyncDisposable {
  kit: PeersKit
  id: SessionId
  alice: Sessions
  bob: Sessions
  workspace: string
  /** Lets what is held go on: the model's first answer, or a tool. */
  release(): void
  /** Resolves when it is held. */
  held: Promise<void>
  modelCalls(): number
  outside: string
}

type Hold = 'nothing' | 'model' | 'tool'

async function stage(hold: Hold, allow: string[]): Promise<Stage> {
  const [gate, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holdIt = async (): Promise<void> => {
    held.resolve()
    await gate.promise
  }
  const outside = await mkdtemp(join(tmpdir(), 'qmt-outside-'))
  const counted = { calls: 0 }
  const kit = await startPeersKit(runnerOf(outside, { counted, hold, holdIt }))
  const workspace = join(kit.workspace, 'inside')
  await mkdir(workspace)
  const alice = kit.peer(ALICE)
  const { id } = await alice.create({ workspace, allow, model: 'own/model' })
  await alice.share(id, { peerId: BOB, node: 'bob', rights: ['prompt'] })
  return {
    kit,
    id,
    alice,
    get bob() {
      return kit.peer(BOB)
    },
    workspace,
    release: gate.resolve,
    held: held.promise,
    modelCalls: () => counted.calls,
    outside,
    [Symbol.asyncDispose]: async () => {
      gate.resolve()
      await kit[Symbol.asyncDispose]()
      await rm(outside, { recursive: true, force: true })
    },
  }
}

function runnerOf(
  home: string,
  { counted, hold, holdIt }: { counted: { calls: number }; hold: Hold; holdIt: () => Promise<void> },
): RunTurn {
  const holding = defineTool({
    name: 'hold',
    description: '',
    inputSchema: z.object({}),
    permission: 'read',
    summary: () => 'hold',
    execute: async () => {
      await holdIt()
      return { output: 'held' }
    },
  })
  const write = calls(...(hold === 'tool' ? [['hold', {}] as [string, unknown]] : []), ['write_file', { path: 'proof.txt', content: 'x' }])
  async function* answer(isFirst: boolean): AsyncGenerator<ModelPart> {
    if (isFirst && hold === 'model') await holdIt()
    yield* isFirst ? write : says('done')
  }
  const router = {
    open: async () => {
      counted.calls += 1
      const route = { agentId: 'coder', model: 'own/model', node: 'host', reason: 'configured', tried: [] }
      return { route, parts: answer(counted.calls === 1) }
    },
  }
  const tools = createTools({ env: process.env }, { qmtHome: join(home, 'qmt'), extra: [holding] })
  const common = { clock: systemClock, log: silentLogger }
  const guestFiles = createGuestFiles(common, { qmtHome: join(home, 'qmt') })
  const workspaceTrust = createWorkspaceTrust({ qmtHome: join(home, 'qmt') })
  return createTurnRunner({ ...common, router, tools, permissions: createPermissions(), workspaceTrust, guestFiles, node: 'host' }, {})
}

/** Every way in which Bob's right to prompt there ends. */
const REVOCATIONS: Record<string, (at: Stage) => Promise<unknown>> = {
  'the share is taken': ({ alice, id }) => alice.unshare(id, BOB),
  'the share is lowered to observe': ({ alice, id }) => alice.share(id, { peerId: BOB, node: 'bob', rights: ['observe'] }),
  'the peer is banned or forgotten': async ({ kit }) => {
    kit.roles.set(BOB, undefined)
    await kit.kit.sessions.judgeAgain()
  },
  'the agent is no longer shared': async ({ kit }) => (kit.shared.agents = ['other']),
  'no agent is shared': async ({ kit }) => (kit.shared.agents = []),
  'the workspace is no longer shared': async ({ kit, outside }) => (kit.shared.workspaces = [outside]),
  'no workspace is shared': async ({ kit }) => (kit.shared.workspaces = []),
  'the model is no longer shared': async ({ kit }) => (kit.shared.models = ['own/other']),
  'the workspace leads elsewhere': async ({ workspace, outside }) => {
    await rename(workspace, `${workspace}-was`)
    await symlink(outside, workspace)
  },
}

const isEnd = ({ type }: SessionEvent): boolean => type === 'turn.ended'

/** Where Bob's prompt is when the right ends. Each brings it there, revokes, and lets everything go on. */
const MOMENTS: Record<string, { hold?: Hold; allow?: string[]; run(at: Stage, revoke: () => Promise<unknown>): Promise<void> }> = {
  idle: {
    run: async ({ kit, id }, revoke) => {
      await revoke()
      await assert.rejects(tell(kit.peer(BOB), id, 'go'), (error: { code: string }) => /forbidden|not_found/.test(error.code))
    },
  },
  queued: {
    hold: 'model',
    run: async ({ kit, id, bob, held, release }, revoke) => {
      await tell(kit.host, id, 'first')
      await held
      await tell(bob, id, 'second')
      await revoke()
      await kit.host.cancel(id)
      release()
      await endOf(kit, id, 2)
    },
  },
  running: {
    hold: 'model',
    allow: ['edit'],
    run: async ({ kit, id, bob, held, release }, revoke) => {
      await tell(bob, id, 'go')
      await held
      await revoke()
      release()
      await endOf(kit, id, 1)
    },
  },
  'at a question': {
    run: async ({ kit, id, bob }, revoke) => {
      await tell(bob, id, 'go')
      const asked = (await followUntil(kit.host, id, ({ type }) => type === 'permission.requested')).at(-1)
      assert.ok(asked?.type === 'permission.requested')
      await revoke()
      await kit.host.answer(id, { id: asked.id, answer: 'allow' }).catch(() => {}) // it may be closed already
      await endOf(kit, id, 1)
    },
  },
  'at a tool': {
    hold: 'tool',
    allow: ['edit'],
    run: async ({ kit, id, bob, held, release }, revoke) => {
      await tell(bob, id, 'go')
      await held
      await revoke()
      release()
      await endOf(kit, id, 1)
    },
  },
}

/** The end of the nth turn, which is Bob's: it failed, and says why. */
async function endOf(kit: PeersKit, id: SessionId, turn: number): Promise<void> {
  let left = turn
  const seen = await followUntil(kit.host, id, (event) => isEnd(event) && (left -= 1) === 0)
  const end = seen.at(-1)
  assert.ok(end?.type === 'turn.ended')
  assert.deepEqual([end.stopReason, end.error?.code], ['failed', 'forbidden'], JSON.stringify(end))
}

for (const [right, revoke] of Object.entries(REVOCATIONS)) {
  for (const [moment, { hold = 'nothing', allow = [], run }] of Object.entries(MOMENTS)) {
    test(`rights are judged at each use: ${right} while the prompt is ${moment}`, { timeout: 30_000 }, async () => {
      await using at = await stage(hold, allow)
      await run(at, () => revoke(at))
      for (const place of [at.workspace, at.outside, `${at.workspace}-was`])
        assert.equal(existsSync(join(place, 'proof.txt')), false, place)
      assert.ok(at.modelCalls() <= (moment === 'idle' ? 0 : 1), `the model was called ${at.modelCalls()} times`)
    })
  }
}

test(
  'rights are judged at each use: what is shared still runs, and the host’s own person is bound by no list',
  { timeout: 30_000 },
  async () => {
    await using at = await stage('nothing', ['edit'])
    await tell(at.bob, at.id, 'go')
    await followUntil(at.kit.host, at.id, isEnd)
    assert.equal(existsSync(join(at.workspace, 'proof.txt')), true)
    at.kit.shared.workspaces = []
    await tell(at.kit.host, at.id, 'again')
    let ends = 0
    const end = (await followUntil(at.kit.host, at.id, (event) => isEnd(event) && (ends += 1) === 2)).at(-1)
    assert.ok(end?.type === 'turn.ended' && end.stopReason === 'completed')
  },
)

test('rights are judged at each use: whatever works in a workspace that is not shared any more, also for who began the session', async () => {
  await using at = await stage('nothing', [])
  at.kit.shared.workspaces = []
  const { id } = at
  const alice = at.kit.peer(ALICE)
  const works: Record<string, () => Promise<unknown>> = {
    prompt: () => tell(alice, id, 'x'),
    answer: () => alice.answer(id, { id: 'x', answer: 'allow' }),
    reply: () => alice.answer(id, { id: 'x', answer: { choices: [], text: 'yes' } }),
    resume: () => alice.resume(id),
    configure: () => alice.configure(id, { mode: 'build' }),
    fork: () => alice.fork(id),
    listFiles: () => alice.listFiles(id),
    readFile: () => alice.readFile(id, 'a.txt'),
  }
  for (const [name, call] of Object.entries(works)) await assert.rejects(call(), { code: 'forbidden' }, name)
  assert.equal((await alice.get(id)).id, id)
  assert.ok((await alice.history(id)).items.length > 0, 'what was said stays theirs to read')
  await alice.close(id)
})
