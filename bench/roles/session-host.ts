import { setTimeout as pause } from 'node:timers/promises'
import type { RunTurn, TurnContext } from '@qmtcode/agent'
import { newMessageId, newPromptId } from '@qmtcode/protocol'
import type { PeerId, SessionId } from '@qmtcode/protocol'
import { measureAttach } from '../support/attaching.ts'
import type { AttachWay } from '../support/attaching.ts'
import { held } from '../support/memory.ts'
import { serveRole } from '../support/role.ts'
import { SENTENCES, fill } from '../support/session-events.ts'
import { startSessionNode } from '../support/session-node.ts'
import type { SessionNode } from '../support/session-node.ts'
import { stampedText } from '../support/stamps.ts'

export interface Publishing {
  ms: number
  /** Deltas a second, and after every so many of them the message is complete. */
  deltasPerSecond: number
  deltasPerMessage: number
  /** Of a delta, and of a completed message. */
  deltaChars: number
  messageChars: number
}

const AT_ONCE = 50 // the log writes them together

const opened = Promise.withResolvers<SessionNode>()
const begun = Promise.withResolvers<TurnContext>()

/** A turn that does what this role is told, until it is cut. */
const heldTurn: RunTurn = async (turn) => {
  begun.resolve(turn)
  await new Promise<void>((resolve) => turn.signal.addEventListener('abort', () => resolve(), { once: true }))
  return { stopReason: 'cancelled', usage: { inputTokens: 0, outputTokens: 0 } }
}

/** The node that sessions are at. */
serveRole({
  open: async ({ directory, guests }: { directory: string; guests: PeerId[] }) => {
    const node = await startSessionNode({ directory, guests, runTurn: heldTurn })
    opened.resolve(node)
    return node.place
  },
  /** So many sessions with so many events each. */
  create: async ({ count, events }: { count: number; events: number }): Promise<SessionId[]> => {
    const { sessions, log } = await opened.promise
    const one = async (): Promise<SessionId> => {
      const { id } = await sessions.create({})
      await fill(log, id, events)
      return id
    }
    const ids: SessionId[] = []
    for (let left = count; left > 0; left -= AT_ONCE) ids.push(...(await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, one))))
    return ids
  },
  /** Begins the one turn of this role. */
  prompt: async ({ id }: { id: SessionId }) => {
    const { sessions } = await opened.promise
    await sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'go on' }] })
    await begun.promise
  },
  /** A message that stays unfinished. */
  say: async () => {
    const { publish, turnId } = await begun.promise
    publish({ type: 'message.delta', turnId, messageId: newMessageId(), kind: 'text', text: SENTENCES })
  },
  /** Stamped events at a pace that the clock keeps. Resolves when all are on disk, with the session's head. */
  publish: async (publishing: Publishing): Promise<number> => publishStamped(await begun.promise, publishing),
  head: async ({ id }: { id: SessionId }) => (await (await opened.promise).sessions.get(id)).seq,
  attach: async ({ id, ...measuring }: { id: SessionId; way: AttachWay; rounds: number }) =>
    measureAttach((await opened.promise).sessions, id, measuring),
  held,
})

async function publishStamped({ turnId, publish, append }: TurnContext, publishing: Publishing): Promise<number> {
  const { ms, deltasPerSecond, deltasPerMessage, deltaChars, messageChars } = publishing
  const startedAt = performance.now()
  const appended: ReturnType<typeof append>[] = []
  let messageId = newMessageId()
  for (let count = 1; count <= (ms * deltasPerSecond) / 1_000; count += 1) {
    publish({ type: 'message.delta', turnId, messageId, kind: 'text', text: stampedText(deltaChars) })
    if (count % deltasPerMessage === 0) {
      appended.push(
        append({ type: 'message.completed', turnId, messageId, role: 'assistant', text: stampedText(messageChars), content: [] }),
      )
      messageId = newMessageId()
    }
    await pause(Math.max(0, startedAt + (1_000 * count) / deltasPerSecond - performance.now()))
  }
  const events = await Promise.all(appended)
  return events.at(-1)?.seq ?? 0
}
