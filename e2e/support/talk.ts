import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { isAppError, isDurable, newPromptId } from '@qmtcode/protocol'
import type { DurableEvent, PromptId, PromptReceipt, SessionEvent, SessionId, Sessions } from '@qmtcode/protocol'
import { eventsOfType } from './output.ts'

/** A person who talks to one session, remembers all that the node acknowledged, and comes back after each crash. */
export interface Talk {
  readonly id: SessionId
  readonly prompts: readonly Prompt[]
  /** Talks until the node goes away, always some prompts ahead; `onEvent` hears each event. */
  talk(sessions: Sessions, onEvent: (event: SessionEvent) => void): Promise<void>
  /** Sends what was never acknowledged, and follows until every prompt has ended. */
  finish(sessions: Sessions): Promise<void>
  /** Everything acknowledged or seen is there, and nothing else happened to it. Gives the whole log. */
  check(sessions: Sessions): Promise<DurableEvent[]>
}

interface Prompt {
  name: string
  promptId: PromptId
  receipt?: PromptReceipt
}

const AHEAD = 3 // prompts that wait or run at any time
const PAGE = 500

export async function startTalk(sessions: Sessions, options: { name: string; workspace: string }): Promise<Talk> {
  const { id } = await sessions.create({ workspace: options.workspace, unattended: true, allow: ['shell'] })
  const prompts: Prompt[] = []
  const seen = new Map<number, DurableEvent>()
  const ended = new Set<PromptId>()

  const send = async (port: Sessions, prompt: Prompt): Promise<void> => {
    const receipt = await port.prompt(id, { promptId: prompt.promptId, content: [{ type: 'text', text: prompt.name }] })
    if (prompt.receipt) assert.deepEqual(receipt, prompt.receipt)
    prompt.receipt = receipt
  }
  const keepAhead = async (port: Sessions): Promise<void> => {
    while (prompts.length - ended.size < AHEAD) {
      const prompt = { name: `prompt-${options.name}-${prompts.length}.`, promptId: newPromptId() }
      prompts.push(prompt)
      await send(port, prompt)
    }
  }
  /** Resumes first, since a new prompt would give the interrupted turn up. A repeat of what was acknowledged changes nothing. */
  const comeBack = async (port: Sessions): Promise<void> => {
    if ((await port.get(id)).state === 'interrupted') await port.resume(id)
    for (const prompt of prompts.slice(-2 * AHEAD)) await send(port, prompt)
  }
  const note = (event: SessionEvent): void => {
    if (!isDurable(event)) return
    assert.equal(event.seq, seen.size + 1, 'a follower hears every event once, in order')
    seen.set(event.seq, event)
    if (event.type === 'turn.ended' && event.stopReason === 'completed') ended.add(event.promptId)
  }

  return {
    id,
    prompts,
    async talk(port, onEvent) {
      try {
        await comeBack(port)
        await keepAhead(port)
        for await (const event of port.follow(id, { after: seen.size })) {
          note(event)
          onEvent(event)
          if (event.type === 'turn.ended') await keepAhead(port)
        }
      } catch (error) {
        if (!isAppError(error, 'link_lost', 'peer_unreachable')) throw error
      }
    },
    async finish(port) {
      await comeBack(port)
      if (ended.size === prompts.length) return
      for await (const event of port.follow(id, { after: seen.size, signal: AbortSignal.timeout(60_000) })) {
        note(event)
        if (ended.size === prompts.length) return
      }
      assert.fail(`${prompts.length - ended.size} prompts of ${id} never ended`)
    },
    async check(port) {
      const events = await wholeLog(port, id)
      assert.deepEqual(
        events.map(({ seq }) => seq),
        events.map((_, at) => at + 1),
        'seqs without a gap',
      )
      for (const [seq, event] of seen)
        assert.ok(isDeepStrictEqual(events[seq - 1], event), `event ${seq} of ${id} is not the one that was seen`)
      for (const prompt of prompts) checkPrompt(events, prompt)
      checkTurns(events)
      return events
    },
  }
}

/** Accepted once, at the seq that the receipt says. */
function checkPrompt(events: readonly DurableEvent[], { promptId, receipt }: Prompt): void {
  const accepted = eventsOfType(events, 'prompt.accepted').filter((event) => event.promptId === promptId)
  assert.ok(accepted.length <= 1, `${promptId} was accepted ${accepted.length} times`)
  if (receipt) assert.equal(accepted[0]?.seq, receipt.seq)
}

/** Every turn that began and is not the last has ended; what a crash cut is interrupted. */
function checkTurns(events: readonly DurableEvent[]): void {
  const started = eventsOfType(events, 'turn.started').length
  const ended = eventsOfType(events, 'turn.ended')
  assert.ok(started - ended.length === 0 || started - ended.length === 1, `${started} turns began, ${ended.length} ended`)
  for (const { stopReason, error } of ended)
    assert.ok(stopReason === 'completed' || stopReason === 'interrupted', `${stopReason}: ${error?.message}`)
}

async function wholeLog(sessions: Sessions, id: SessionId): Promise<DurableEvent[]> {
  const pages: DurableEvent[][] = []
  let before: number | undefined
  do {
    const { items } = await sessions.history(id, { before, limit: PAGE })
    pages.unshift(items)
    before = items[0]?.seq
  } while (before !== undefined && before > 1)
  return pages.flat()
}
