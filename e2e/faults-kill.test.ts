import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { isAppError, isDurable, newPromptId } from '@qmtcode/protocol'
import type { DurableEvent, PromptId, PromptReceipt, SessionId, Sessions } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Handler } from '@qmtcode/testing'
import { startHostAndFollower } from './support/host-and-follower.ts'
import type { HostAndFollower } from './support/host-and-follower.ts'
import { eventsOfType } from './support/output.ts'
import { seeded } from './support/seeded.ts'

/** `QMT_KILLS=500 QMT_SEED=7 node --test e2e/faults-kill.test.ts` is the long form. */
const KILLS = Number(process.env['QMT_KILLS'] ?? 20)
const SEED = Number(process.env['QMT_SEED'] ?? 1)
const KILLS_A_ROUND = 20 // then new sessions: a model is sent the whole conversation
const MAX_EVENTS = 20 // heard before a kill
const AHEAD = 2 // prompts that wait or run at any time
const SESSIONS = 2

/** Prompts are named, and so are their answers. About a second each, so that a minute takes no more than a peer may send. */
const answer: Handler = ({ messages = [] }) => {
  const asked = messages.findLast(({ role }) => role === 'user')
  const name = JSON.stringify(asked?.content)?.match(/prompt-\d+-\d+\./)?.[0] ?? 'none'
  return [{ text: ['done ', ...Array.from({ length: 20 }, () => '.'), ' ', name], gapMs: 35 }]
}

test(
  `host or follower killed ${KILLS} times in a conversation: the follower has the host's log, each prompt ran once (seed ${SEED})`,
  { timeout: 120_000 + KILLS * 15_000 },
  async (t) => {
    const random = seeded(SEED)
    const totals = { host: 0, follower: 0, prompts: 0, events: 0, interrupted: 0, repeats: 0 }
    await using llm = await startScriptedLlm(answer, { record: false })
    await using pair = await startHostAndFollower({ url: llm.url })
    for (let left = KILLS; left > 0; left -= KILLS_A_ROUND) await runRound(pair, random, Math.min(left, KILLS_A_ROUND), totals)
    assert.ok(totals.interrupted > 0, 'no kill hit a turn')
    t.diagnostic(
      `${totals.host} kills of the host, ${totals.follower} of the follower; ${totals.prompts} prompts (${totals.repeats} sent again), ` +
        `${totals.events} events, ${totals.interrupted} turns interrupted, 0 lost, 0 run twice`,
    )
  },
)

type Totals = Record<'host' | 'follower' | 'prompts' | 'events' | 'interrupted' | 'repeats', number>

async function runRound(pair: HostAndFollower, random: () => number, kills: number, totals: Totals): Promise<void> {
  const conversations: Conversation[] = []
  let there = await pair.openThere()
  for (let at = 0; at < SESSIONS; at += 1) conversations.push(await beginConversation(there.sessions, at))
  let events = 0
  let heard = Promise.withResolvers<void>()
  let lethal = Infinity
  const onEvent = (): void => {
    events += 1
    if (events >= lethal) heard.resolve()
  }
  const talkAll = () => Promise.all(conversations.map((one) => one.talk(there.sessions, onEvent)))
  let talking = talkAll()
  talking.catch(() => {}) // awaited below
  for (let left = kills; left > 0;) {
    heard = Promise.withResolvers()
    events = 0
    lethal = 1 + Math.floor(random() * MAX_EVENTS)
    await Promise.race([heard.promise, talking.then(() => assert.fail('the conversation ended by itself'))])
    const { host, follower } = victimsOf(random(), left)
    if (host) totals.host += 1
    if (follower) totals.follower += 1
    left -= Number(host) + Number(follower)
    if (follower) for (const one of conversations) one.mayEnd()
    await Promise.all([host && pair.hostNode.kill('SIGKILL'), follower && pair.followerNode.kill('SIGKILL')])
    if (follower) await talking
    if (follower) await there[Symbol.asyncDispose]()
    await Promise.all([host && pair.startHost(), follower && pair.startFollower()])
    if (!follower) continue // those who follow come back by themselves
    there = await pair.openThere()
    talking = talkAll()
    talking.catch(() => {})
  }
  for (const one of conversations) one.finish()
  await talking
  await using here = await pair.openHost()
  for (const one of conversations) {
    const log = await one.check(here.sessions)
    totals.events += log.length
    totals.prompts += eventsOfType(log, 'prompt.accepted').length
    totals.interrupted += eventsOfType(log, 'turn.ended').filter(({ stopReason }) => stopReason === 'interrupted').length
    totals.repeats += one.repeats()
  }
  await there[Symbol.asyncDispose]()
}

/** Half of the time both: they begin again next to each other, which is as fast as one. */
function victimsOf(chance: number, left: number): { host: boolean; follower: boolean } {
  if (chance < 0.5 && left > 1) return { host: true, follower: true }
  const host = chance * 4 - Math.floor(chance * 4) < 0.5
  return { host, follower: !host }
}

interface Prompt {
  promptId: PromptId
  name: string
  receipt?: PromptReceipt
}

/** What a person says in a session of another node, through the follower's node, and everything that was heard of it. */
interface Conversation {
  /** Until every prompt has ended after `finish`, or the follower's node goes away after `mayEnd`: a host that is killed ends nothing. */
  talk(sessions: Sessions, onEvent: () => void): Promise<void>
  mayEnd(): void
  finish(): void
  /** Compares what was heard, event by event, with the host's log, and gives that. */
  check(host: Sessions): Promise<DurableEvent[]>
  repeats(): number
}

async function beginConversation(first: Sessions, at: number): Promise<Conversation> {
  const { id } = await first.create({})
  const prompts: Prompt[] = []
  const heard: DurableEvent[] = []
  const over = new Set<PromptId>()
  let isFinishing = false
  let isKilled = false
  let repeats = 0

  const send = async (sessions: Sessions, prompt: Prompt): Promise<void> => {
    const content = [{ type: 'text' as const, text: prompt.name }]
    const receipt = await sessions.prompt(id, { promptId: prompt.promptId, content })
    if (prompt.receipt) {
      assert.deepEqual(receipt, prompt.receipt)
      repeats += 1
    }
    prompt.receipt = receipt
  }
  const wantsMore = (): boolean => !isFinishing && prompts.length - over.size < AHEAD
  const keepAhead = async (sessions: Sessions): Promise<void> => {
    for (const prompt of prompts.slice(-2 * AHEAD)) if (!over.has(prompt.promptId)) await send(sessions, prompt) // once more
    while (wantsMore()) {
      const prompt = { promptId: newPromptId(), name: `prompt-${at}-${prompts.length}.` }
      prompts.push(prompt)
      await send(sessions, prompt)
    }
  }
  const goOn = async (sessions: Sessions): Promise<void> => {
    if ((await sessions.get(id)).state !== 'interrupted') return
    try {
      await sessions.resume(id)
    } catch (error) {
      if (!isAppError(error, 'conflict')) throw error // it goes on already
    }
  }
  const note = (event: DurableEvent): void => {
    assert.equal(event.seq, heard.length + 1, 'every event once, in order')
    heard.push(event)
    if (event.type === 'turn.ended' && event.stopReason === 'completed') over.add(event.promptId)
    // A prompt that was on its way when its host was killed gives the turn up that was cut.
    if (event.type === 'prompt.accepted') for (const promptId of givenUp(heard)) over.add(promptId)
  }
  const isOver = (): boolean => isFinishing && over.size === prompts.length
  return {
    async talk(sessions, onEvent) {
      isKilled = false
      try {
        await goOn(sessions)
        await keepAhead(sessions)
        if (isOver()) return
        for await (const event of sessions.follow(id, { after: heard.length })) {
          if (isDurable(event)) note(event)
          onEvent()
          if (isOver()) return
          if (event.type === 'link.restored') await goOn(sessions)
          if (event.type === 'turn.ended') {
            if (event.stopReason === 'interrupted') await goOn(sessions)
            await keepAhead(sessions)
            if (isOver()) return
          }
        }
      } catch (error) {
        if (!isKilled || !isAppError(error, 'link_lost', 'peer_unreachable')) throw error
      }
    },
    mayEnd() {
      isKilled = true
    },
    finish() {
      isFinishing = true
    },
    repeats: () => repeats,
    async check(host) {
      const log = await wholeLog(host, id)
      for (const [index, event] of log.entries()) {
        if (index < heard.length) assert.ok(isDeepStrictEqual(heard[index], event), `event ${event.seq} differs`)
      }
      assert.equal(heard.length, log.length, `the host has more than was heard: ${JSON.stringify(log.slice(heard.length - 8))}`)
      for (const prompt of prompts) checkPrompt(log, prompt)
      return log
    },
  }
}

/** Prompts whose turn was interrupted, and set aside by the prompt that the log ends with. */
function givenUp(log: readonly DurableEvent[]): PromptId[] {
  const cut = eventsOfType(log, 'turn.ended').at(-1)
  return cut?.stopReason === 'interrupted' && !isResumed(log, cut.seq) ? [cut.promptId] : []
}
const isResumed = (log: readonly DurableEvent[], seq: number): boolean => log.slice(seq).some(({ type }) => type === 'turn.started')

/** Acknowledged is there, at the seq of its receipt; accepted once; answered once, or given up after a kill. */
function checkPrompt(log: readonly DurableEvent[], { promptId, name, receipt }: Prompt): void {
  const accepted = eventsOfType(log, 'prompt.accepted').filter((event) => event.promptId === promptId)
  assert.equal(accepted.length, 1, `${name} was accepted ${accepted.length} times`)
  assert.equal(accepted[0]?.seq, receipt?.seq)
  const ends = eventsOfType(log, 'turn.ended').filter((event) => event.promptId === promptId)
  const well = ends.filter(({ stopReason }) => stopReason === 'completed').length
  const answered = eventsOfType(log, 'message.completed').filter(
    ({ text, partial }) => partial !== true && text.endsWith(` ${name}`),
  ).length
  assert.ok(well <= 1 && answered === well, `${name}: ${well} turns, ${answered} answers`)
  assert.ok(
    ends.every(({ stopReason }) => stopReason === 'completed' || stopReason === 'interrupted'),
    JSON.stringify(ends),
  )
  const started = eventsOfType(log, 'turn.started').filter((event) => event.promptId === promptId).length
  assert.equal(started, ends.length)
  if (well === 0) assert.ok(ends.length > 0, `${name} never ran`)
}

async function wholeLog(sessions: Sessions, id: SessionId): Promise<DurableEvent[]> {
  const pages: DurableEvent[][] = []
  let before: number | undefined
  do {
    const { items } = await sessions.history(id, { before, limit: 500 })
    pages.unshift(items)
    before = items[0]?.seq
  } while (before !== undefined && before > 1)
  return pages.flat()
}
