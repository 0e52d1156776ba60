import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { DurableEvent, SessionId } from '@qmtcode/protocol'
import { startSessions } from '../sessions/sessions-kit.ts'
import type { SessionsKit } from '../sessions/sessions-kit.ts'

/** `QMT_KILLS=500 QMT_SEED=7 node --test …` is the long form. */
const KILLS = Number(process.env['QMT_KILLS'] ?? 20)
const SEED = Number(process.env['QMT_SEED'] ?? 1)
const MAX_LINES = 600 // acknowledgements before a kill

test(`loses nothing that was acknowledged in ${KILLS} × kill -9 (seed ${SEED})`, { timeout: KILLS * 15_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'qmt-crash-'))
  const random = seeded(SEED)
  let acknowledged = 0
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const file = join(directory, `${kill % 4}.db`) // some logs see several kills, none grows without end
      const lines = await runAndKill(file, 1 + Math.floor(random() * MAX_LINES))
      await using kit = await startSessions(async () => ({ stopReason: 'completed', usage: { inputTokens: 0, outputTokens: 0 } }), { file })
      await checkLines(kit, lines)
      acknowledged += lines.length
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  t.diagnostic(`${acknowledged} acknowledged, 0 lost`)
})

/** Kills the writer after `count` acknowledgements, in the middle of its next writes; gives all that it acknowledged. */
async function runAndKill(file: string, count: number): Promise<string[]> {
  const script = fileURLToPath(new URL('./crash-kit.ts', import.meta.url))
  const child = spawn(process.execPath, [script, file, '8'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.endsWith(' .')) continue
    lines.push(line)
    if (lines.length === count) child.kill('SIGKILL')
  }
  assert.ok(lines.length >= count, `the writer ended by itself after ${lines.length} lines`)
  return lines.filter((line) => line !== 'ready .')
}

async function checkLines(kit: SessionsKit, lines: readonly string[]): Promise<void> {
  const logs = new Map<string, DurableEvent[]>()
  for (const line of lines) {
    const [kind, id = '', seq, what] = line.split(' ')
    const events = logs.get(id) ?? (await readSettled(kit, id as SessionId))
    logs.set(id, events)
    const event = events[Number(seq) - 1]
    if (kind === 'event') assert.equal(event?.type === 'message.completed' && event.text, what, line)
    else assert.equal(event?.type === 'prompt.accepted' && event.promptId, what, line)
  }
  for (const [id, events] of logs) checkWhole(id, events)
}

/** Seqs without a gap, pairs that were written together both there, and no turn without an end. */
function checkWhole(id: string, events: readonly DurableEvent[]): void {
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  )
  const count = (type: DurableEvent['type']): number => events.filter((event) => event.type === type).length
  assert.equal(count('turn.started'), count('turn.ended'), `${id} has an open turn`)
  if (count('prompt.accepted') === 0) assert.equal(count('message.completed') % 2, 0, `${id} has half of an append`)
}

/** The events, once the prompts that waited through the crash have run. */
async function readSettled({ log, as }: SessionsKit, id: SessionId): Promise<DurableEvent[]> {
  const deadline = Date.now() + 20_000
  while ((await as('checker').get(id)).state === 'running') assert.ok(Date.now() < deadline, `${id} does not settle`)
  const events: DurableEvent[] = []
  for (;;) {
    const page = await log.read(id, { after: events.length, limit: 1_000 })
    if (page.length === 0) return events
    events.push(...page)
  }
}

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
