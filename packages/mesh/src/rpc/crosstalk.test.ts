import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAppError } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { seeded } from '../testing/seeded.ts'
import { overMemory, overSockets, rigHandlers, startRig } from './rpc-rig.ts'
import type { Connect, RigClient } from './rpc-rig.ts'

const SEED = Number(process.env['QMT_SEED'] ?? 20_261_122)
const WORKERS = 24
const CALLS = 480

/** Reads a tagged download, to its end or to a cut: by leaving the loop, or by the signal. */
async function download(rig: RigClient, tag: string, random: (below: number) => number): Promise<void> {
  const to = random(400)
  const cutAt = random(3) > 0 ? random(to + 1) : Infinity
  const controller = new AbortController()
  const leaves = random(2) === 0
  let next = 0
  try {
    for await (const item of rig.count({ to, tag, pad: random(2_000) }, { signal: controller.signal })) {
      assert.deepEqual([item.tag, item.n], [tag, next])
      next += 1
      if (next < cutAt) continue
      if (leaves) return
      controller.abort()
    }
    assert.equal(next, to)
  } catch (error) {
    if (!controller.signal.aborted || !isAppError(error, 'cancelled')) throw error
  }
}

async function upload(rig: RigClient, random: (below: number) => number): Promise<void> {
  const bytes = 70_000 + random(1_500_000)
  const controller = new AbortController()
  if (random(3) > 0) setTimeout(() => controller.abort(), random(8))
  try {
    const answer = await rig.size({ bytes: new Uint8Array(bytes) }, { signal: controller.signal })
    assert.equal(answer.bytes, bytes)
  } catch (error) {
    if (!controller.signal.aborted || !isAppError(error, 'cancelled')) throw error
  }
}

async function failingUpload(rig: RigClient): Promise<void> {
  const call = rig.fail({ name: 7, ballast: new Uint8Array(400_000) } as unknown as { name: string })
  await assert.rejects(call, (error) => isAppError(error, 'bad_request'))
}

const transports: [string, Connect][] = [
  ['memory', overMemory],
  ['sockets', overSockets],
]
for (const [name, over] of transports) {
  test(`${CALLS} calls over ${name}, most cut in the middle: no item reaches another call, nothing is left (seed ${SEED})`, async () => {
    const seen = { aborted: [] as unknown[], running: 0 }
    await using r = await startRig(over, rigHandlers(seen), { maxStreams: 16 })
    const random = seeded(SEED)
    let left = CALLS
    const work = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        const tag = `call ${left}`
        const kind = random(5)
        if (kind < 2) await download(r.rig, tag, random)
        else if (kind === 2) await upload(r.rig, random)
        else if (kind === 3) assert.equal((await r.rig.echo({ value: tag })).value, tag)
        else await failingUpload(r.rig)
      }
    }
    await Promise.all(Array.from({ length: WORKERS }, work))
    await eventually('all is over', () => r.rpc.stats().callsInFlight === 0 && r.server.stats().callsInFlight === 0 && seen.running === 0)
    assert.ok(r.opened.length <= 16, `${r.opened.length} streams were opened: one was reset`)
    assert.equal(r.rpc.stats().queuedCalls, 0)
  })
}
