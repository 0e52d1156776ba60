import assert from 'node:assert/strict'
import test from 'node:test'
import type { LanguageModelV4Message, LanguageModelV4Prompt, LanguageModelV4ReasoningPart } from '@ai-sdk/provider'
import { complaintOf } from '@qmtcode/testing'
import { chatBody } from '../chat-completions/body.ts'
import { soundPrompt } from './sound-prompt.ts'
import { takerOf } from './takers.ts'

const CASES = 3_000

/** Mulberry32: the same cases for the same seed. */
function createRandom(seed: number) {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    below: (limit: number) => Math.floor(next() * limit),
    pick: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T,
  }
}
type Random = ReturnType<typeof createRandom>

const TEXTS = [
  'hello',
  '',
  ' ',
  '\n',
  '🦀 crab',
  '🦀'.slice(0, 1),
  '🦀'.slice(1),
  'a\u0000b',
  '\u001b[31mred',
  '\u0085',
  'long '.repeat(50),
  '\uFFFE',
  'tab\tand\nline',
]
const IDS = ['c1', 'c1', 'functions.list_files:0', '', 'x'.repeat(90), 'call with blank', '\uD800', 'toolu_01']
const NAMES = ['list_files', 'no such tool!', '', '名前', 'a'.repeat(100)]
const INPUTS: unknown[] = [{}, { path: '.' }, [], 'text', '{"a":1}', 'not json {', null, 7, { '\uD800': '\uDC00', n: { deep: ['\u0000'] } }]
const METADATA: LanguageModelV4ReasoningPart['providerOptions'][] = [
  undefined,
  { anthropic: { signature: 's' } },
  { openai: { itemId: 'i' } },
  { google: {} },
  { openaiCompatible: { model: 'fake/m' } },
]

function randomMessage(random: Random): LanguageModelV4Message {
  const text = () => ({ type: 'text' as const, text: random.pick(TEXTS) })
  const some = <T>(make: () => T): T[] => Array.from({ length: random.below(4) }, make)
  switch (random.below(4)) {
    case 0:
      return { role: 'system', content: random.pick(TEXTS) }
    case 1:
      return { role: 'user', content: some(text) }
    case 2:
      return {
        role: 'assistant',
        content: some(() =>
          random.pick([
            text(),
            { type: 'reasoning' as const, text: random.pick(TEXTS), providerOptions: random.pick(METADATA) },
            { type: 'tool-call' as const, toolCallId: random.pick(IDS), toolName: random.pick(NAMES), input: random.pick(INPUTS) },
            { type: 'file' as const, mediaType: 'image/png', data: { type: 'data' as const, data: 'AAAA' } },
          ]),
        ),
      }
    default:
      return {
        role: 'tool',
        content: some(() => ({
          type: 'tool-result' as const,
          toolCallId: random.pick(IDS),
          toolName: random.pick(NAMES),
          output: random.pick([
            { type: 'text' as const, value: random.pick(TEXTS) },
            { type: 'error-text' as const, value: random.pick(TEXTS) },
            { type: 'json' as const, value: { a: '\uD800' } },
            { type: 'execution-denied' as const },
            { type: 'content' as const, value: [text()] },
          ]),
        })),
      }
  }
}

/** What people said, as a strict server may have it. */
const wordsOf = (prompt: LanguageModelV4Prompt): string[] =>
  prompt.flatMap((message) =>
    message.role === 'user' ? message.content.flatMap((part) => (part.type === 'text' && /\w/.test(part.text) ? [part.text] : [])) : [],
  )

// oxlint-disable-next-line no-control-regex -- these are what it is about
const withoutControls = (text: string): string => text.toWellFormed().replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/g, '')

for (const id of ['fake/m', 'mistral/devstral-small']) {
  test(`any conversation becomes a request that a strict server takes, and keeps each word of a person: ${id}`, () => {
    for (let seed = 0; seed < CASES; seed += 1) {
      const random = createRandom(seed)
      const prompt = Array.from({ length: random.below(12) }, () => randomMessage(random))
      const sound = soundPrompt(prompt, takerOf({ kind: 'openai-compatible' }, id))
      const body = JSON.parse(JSON.stringify(chatBody('m', { prompt: sound }))) as Parameters<typeof complaintOf>[1]
      assert.equal(complaintOf('/chat/completions', body), undefined, `seed ${seed}: ${JSON.stringify(body)}`)
      const said = JSON.stringify(body)
      for (const words of wordsOf(prompt))
        assert.ok(said.includes(JSON.stringify(withoutControls(words)).slice(1, -1)), `seed ${seed}: ${words}`)
      if (id.startsWith('mistral')) assert.doesNotMatch(said, /"tool_call_id":"(?![A-Za-z0-9]{9}")/)
      assert.deepEqual(soundPrompt(sound, takerOf({ kind: 'openai-compatible' }, id)), sound, `seed ${seed}: not stable`)
    }
  })
}

test('thoughts go back to where they came from, and nowhere else', () => {
  const thoughts = METADATA.map((providerOptions, index) => ({ type: 'reasoning' as const, text: `thought ${index}`, providerOptions }))
  const prompt: LanguageModelV4Prompt = [
    { role: 'user', content: [{ type: 'text', text: 'hi' }] },
    { role: 'assistant', content: [...thoughts, { type: 'text', text: 'hello' }] },
    { role: 'user', content: [{ type: 'text', text: 'again' }] },
  ]
  const kept = (kind: 'anthropic' | 'openai' | 'google' | 'openai-compatible', id: string) =>
    soundPrompt(prompt, takerOf({ kind }, id)).flatMap((message) =>
      message.role === 'assistant' ? message.content.flatMap((part) => (part.type === 'reasoning' ? [part.text] : [])) : [],
    )
  assert.deepEqual(kept('anthropic', 'anthropic/x'), ['thought 1'])
  assert.deepEqual(kept('openai', 'openai/x'), ['thought 2'])
  assert.deepEqual(kept('google', 'google/x'), ['thought 3'])
  assert.deepEqual(kept('openai-compatible', 'fake/m'), ['thought 4'])
  assert.deepEqual(kept('openai-compatible', 'fake/other'), [])
})

test('text that was cut anywhere stays sound', () => {
  const text = 'a🦀b👩‍👩‍👧c'
  for (let at = 0; at <= text.length; at += 1) {
    const prompt: LanguageModelV4Prompt = [{ role: 'user', content: [{ type: 'text', text: `x${text.slice(0, at)}` }] }]
    const body = chatBody('m', { prompt: soundPrompt(prompt, takerOf({ kind: 'openai-compatible' }, 'fake/m')) })
    assert.equal(complaintOf('/chat/completions', body), undefined)
  }
})

test('without the gate the strict server refuses most of these conversations', () => {
  const refused = Array.from({ length: 300 }, (_, seed) => {
    const random = createRandom(seed)
    const prompt = Array.from({ length: 1 + random.below(12) }, () => randomMessage(random))
    return complaintOf('/chat/completions', JSON.parse(JSON.stringify(chatBody('m', { prompt }))) as Parameters<typeof complaintOf>[1])
  }).filter((complaint) => complaint !== undefined)
  assert.ok(refused.length > 250, String(refused.length))
})
