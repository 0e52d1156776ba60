import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunTurn } from '@qmtcode/agent'
import { createRpcClient, createRpcServer, memoryStreamPair } from '@qmtcode/mesh'
import type { RpcClient, ServedContract } from '@qmtcode/mesh'
import { LIMITS, newPromptId, sessionsContract, sessionsHandlers, sessionsOverRpc } from '@qmtcode/protocol'
import type { SessionEvent, Sessions } from '@qmtcode/protocol'
import { createTurnScript, followUntil, sessionsCompliance } from '@qmtcode/testing'
import type { SessionsFixture } from '@qmtcode/testing'
import { openLocalSocket } from '../support/local-socket.ts'
import { startSessionsHost } from '../support/sessions-host.ts'

/** How a caller reaches what is served: one way a suite. */
type Connect = (served: ServedContract, owner: AsyncDisposableStack) => Promise<RpcClient>

const overMemory: Connect = async (served, owner) => {
  const server = createRpcServer()
  const open = async () => {
    const [ours, theirs] = memoryStreamPair()
    server.accept(theirs, served, {})
    return ours
  }
  const client = createRpcClient({ open })
  owner.defer(() => {
    client.stop()
    server.stop()
  })
  return client
}

const overSocket: Connect = async (served, owner) => owner.use(await openLocalSocket([served])).connect()

async function startFixture(runTurn: RunTurn, connect: Connect): Promise<SessionsFixture> {
  await using opening = new AsyncDisposableStack()
  const host = opening.use(await startSessionsHost(runTurn))
  const opened = opening.move()
  return {
    workspace: host.workspace,
    restart: host.restart,
    async as(caller) {
      const rpc = await connect({ contract: sessionsContract, handlers: sessionsHandlers(host.as(caller)) }, opened)
      return sessionsOverRpc(rpc.client(sessionsContract))
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

sessionsCompliance('over rpc in memory', (runTurn) => startFixture(runTurn, overMemory))
sessionsCompliance('over the local socket', (runTurn) => startFixture(runTurn, overSocket))

const completed = (event: SessionEvent): event is Extract<SessionEvent, { type: 'message.completed' }> => event.type === 'message.completed'

const liveText = (event: SessionEvent | undefined): string | undefined => {
  if (event?.type === 'message.snapshot') return event.textSoFar
  return event?.type === 'message.delta' ? event.text : undefined
}

/** Compared by ===: a printed difference of megabytes helps nobody. */
async function largeText(sessions: Sessions, workspace: string, text: string): Promise<void> {
  const { id } = await sessions.create({ workspace })
  const promptId = newPromptId()
  await sessions.prompt(id, { promptId, content: [{ type: 'text', text: `say ${text}` }] })
  const seen = await followUntil(sessions, id, (event) => event.type === 'turn.ended')
  const message = seen.find(completed) ?? assert.fail(JSON.stringify(seen.at(-1)))
  assert.ok(message.text === text, 'the message differs')
  const { items } = await sessions.history(id, { before: message.seq + 1, limit: 1 })
  assert.ok(items.find(completed)?.text === text, 'the history differs')
}

for (const [name, connect] of [
  ['in memory', overMemory],
  ['over the local socket', overSocket],
] as const) {
  test(`events larger than an rpc frame cross whole (${name})`, async () => {
    await using fixture = await startFixture(createTurnScript().runTurn, connect)
    await largeText(await fixture.as('alice'), fixture.workspace, 'ä😀"\\'.repeat(200_000)) // 1,000,000 UTF-16 units
  })

  test(`a prompt of the largest size crosses whole (${name})`, async () => {
    await using fixture = await startFixture(createTurnScript().runTurn, connect)
    await largeText(await fixture.as('alice'), fixture.workspace, 'x'.repeat(LIMITS.promptBytes - 100))
  })

  test(`a snapshot of a long unfinished message crosses whole (${name})`, async () => {
    const text = 'unfinished '.repeat(200_000)
    const runTurn: RunTurn = async (turn) => {
      const messageId = 'msg_long' as Extract<SessionEvent, { type: 'message.delta' }>['messageId']
      turn.publish({ type: 'message.delta', turnId: turn.turnId, messageId, kind: 'text', text })
      await new Promise((resolve) => turn.signal.addEventListener('abort', resolve, { once: true }))
      return { stopReason: 'cancelled', usage: { inputTokens: 0, outputTokens: 0 } }
    }
    await using fixture = await startFixture(runTurn, connect)
    const sessions = await fixture.as('alice')
    const { id } = await sessions.create({ workspace: fixture.workspace })
    await sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'go' }] })
    const seen = await followUntil(sessions, id, (event) => event.type === 'message.delta' || event.type === 'message.snapshot')
    assert.ok(liveText(seen.at(-1)) === text, 'the first follower differs')
    const late = await followUntil(await fixture.as('bob'), id, (event) => event.type === 'message.snapshot')
    assert.ok(liveText(late.at(-1)) === text, 'the late follower differs')
  })
}
