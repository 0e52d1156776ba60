// When a peer is noticed to be gone, and found again. QMT_LAB_SECS: how long a bad line is watched (default 60). QMT_DETECTION=FILE: gets the times.
import assert from 'node:assert/strict'
import { appendFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { MeshEvent, PeerId, SessionId } from '@qmtcode/protocol'
import { eventually } from '@qmtcode/testing'
import { labSkip } from '@qmtcode/testing/lab'
import { eventsOf, eventsOfType } from '../support/output.ts'
import { ask, askIn, startFleet } from './fleet.ts'
import type { Fleet, Member } from './fleet.ts'

const skip = labSkip()
const WATCH_MS = Number(process.env['QMT_LAB_SECS'] ?? '60') * 1_000
const NOTICED_MS = 10_000
const CLOSED_MS = 1_000
const BACK_MS = 5_000
const OUTAGE_MS = 20_000

describe('detection', { skip, concurrency: true }, () => {
  let fleet: Fleet
  before(async () => {
    fleet = await startFleet({
      frozen: {},
      silent: {},
      halved: {},
      lossy: { slow: true },
      worse: { slow: true },
    })
  })
  after(async () => {
    await fleet[Symbol.asyncDispose]()
    for (const { what, ms } of figures) process.stdout.write(`${what}: ${(ms / 1_000).toFixed(2)} s\n`)
    if (process.env['QMT_DETECTION'] !== undefined) await appendFile(process.env['QMT_DETECTION'], table())
  })

  test('a frozen peer is noticed, and back when it goes on; a killed one is gone within a second', async () => {
    const frozen = fleet.laptop('frozen')
    const begun = performance.now()
    frozen.node.process.kill('SIGSTOP')
    await within(NOTICED_MS, 'SIGSTOP, suspect', begun, await noticed(fleet.server, frozen, begun))
    const rows = await listedBy(fleet.server)
    assert.match(rows.find(({ peerId }) => peerId === frozen.peerId)?.state ?? '', /suspect|offline|connecting/, '`nodes --json` shows it')
    figure('SIGSTOP, lost', (await next(fleet.server, frozen, begun, 'peer.disconnected')) - begun)
    const resumed = performance.now()
    frozen.node.process.kill('SIGCONT')
    await within(BACK_MS, 'SIGCONT, back', resumed, await next(fleet.server, frozen, resumed, 'peer.connected'))
    const killed = performance.now()
    frozen.node.process.kill('SIGKILL')
    await within(CLOSED_MS, 'SIGKILL, lost', killed, await next(fleet.server, frozen, killed, 'peer.disconnected'))
    const restarted = performance.now()
    frozen.machine.start(['--headless', '--mesh'])
    await next(fleet.server, frozen, restarted, 'peer.connected')
  })

  test('packets that are dropped are noticed by both; a follower hears of it, and misses nothing of what happened meanwhile', async () => {
    const silent = fleet.laptop('silent')
    const { api } = fleet.server
    const id = await sharedWith(silent)
    await askIn(api, id, 'before')
    const following = silent.machine.start(['attach', `gpu-server/${id}`, '--json'])
    await following.line(/"type":"turn.ended"/)
    const begun = performance.now()
    await silent.host.cable.set({ drop: 'both' })
    await noticedByBoth('packets dropped', silent, begun)
    await following.line(/"type":"link.lost"/)
    await askIn(api, id, 'meanwhile')
    await new Promise((resolve) => setTimeout(resolve, begun + OUTAGE_MS - performance.now())) // the outage's length is what is tried
    const healed = performance.now()
    await silent.host.cable.set({})
    await within(BACK_MS, 'packets pass again, back', healed, await next(silent, fleet.server, healed, 'peer.connected'))
    await following.line(/"type":"link.restored"/)
    await askIn(api, id, 'afterwards')
    await eventually('the last turn arrives', () => eventsOfType(eventsOf(wholeLines(following.output())), 'turn.ended').length === 3)
    const seqs = eventsOf(wholeLines(following.output())).flatMap((event) => ('seq' in event ? [event.seq] : []))
    assert.deepEqual(
      seqs,
      seqs.map((_, index) => index + 1),
    )
  })

  test('packets dropped one way are noticed by both; a laptop that moves to another address is found again, and its follower goes on', async () => {
    const halved = fleet.laptop('halved')
    for (const drop of ['out', 'in'] as const) {
      const what = drop === 'out' ? 'sent' : 'received'
      const begun = performance.now()
      await halved.host.cable.set({ drop })
      await noticedByBoth(`only ${what} packets dropped`, halved, begun)
      const healed = performance.now()
      await halved.host.cable.set({})
      await within(BACK_MS, `${what} packets pass again, back`, healed, await next(halved, fleet.server, healed, 'peer.connected'))
    }
    const { api } = fleet.server
    const id = await sharedWith(halved)
    const following = halved.machine.start(['attach', `gpu-server/${id}`, '--json'])
    await following.line(/"type":"session.created"/)
    const begun = performance.now()
    await halved.host.changeAddress()
    const back = await next(halved, fleet.server, begun, 'peer.connected')
    // It takes a second or two. The pings alone would take eight, and a dial that began from the old address some more.
    await within(NOTICED_MS, 'address changed, back', begun, back)
    await askIn(api, id, 'after the move')
    await following.line(/"type":"turn.ended"/)
    await eventually('the server is connected to it', async () =>
      (await api.peers.list()).some(({ peerId, state }) => peerId === halved.peerId && state === 'connected'),
    )
  })

  test('10 % loss and 200 ms are no alarm', async () => {
    const lossy = fleet.laptop('lossy')
    await lossy.host.cable.set({ lossPercent: 10, delayMs: 100 })
    const begun = performance.now()
    await askFor(WATCH_MS, lossy)
    assert.deepEqual([...alarms(lossy, fleet.server, begun), ...alarms(fleet.server, lossy, begun)], [])
  })

  test('at 20 % loss no call fails', async () => {
    const worse = fleet.laptop('worse')
    await worse.host.cable.set({ lossPercent: 20, delayMs: 100 })
    await askFor(WATCH_MS, worse)
  })

  /** A session of the server that a laptop may look at. */
  async function sharedWith({ host, peerId }: Member): Promise<SessionId> {
    const { api, machine } = fleet.server
    const { id } = await api.sessions.create({ workspace: machine.workspace, unattended: true })
    await api.sessions.share(id, { peerId, node: host.name, rights: ['observe'] })
    return id
  }

  async function noticedByBoth(what: string, laptop: Member, begun: number): Promise<void> {
    const [here, there] = await Promise.all([
      next(laptop, fleet.server, begun, 'peer.disconnected'),
      next(fleet.server, laptop, begun, 'peer.disconnected'),
    ])
    await within(NOTICED_MS, `${what}, suspect for it`, begun, await noticed(laptop, fleet.server, begun))
    await within(NOTICED_MS, `${what}, suspect for the other`, begun, await noticed(fleet.server, laptop, begun))
    figure(`${what}, lost for it`, here - begun)
    figure(`${what}, lost for the other`, there - begun)
  }
})

const figures: { what: string; ms: number; budgetMs?: number }[] = []
const figure = (what: string, ms: number, budgetMs?: number): void => {
  figures.push({ what, ms, budgetMs })
}
const table = (): string =>
  figures
    .map(
      ({ what, ms, budgetMs }) =>
        `| ${what} | ${budgetMs === undefined ? '' : `≤ ${budgetMs / 1_000} s`} | ${(ms / 1_000).toFixed(2)} s |\n`,
    )
    .join('')

async function within(budgetMs: number, what: string, begun: number, at: number): Promise<void> {
  figure(what, at - begun, budgetMs)
  assert.ok(at - begun <= budgetMs, `${what}: ${Math.round(at - begun)} ms`)
}

/** When `who` told this of `about`, at `since` or later. */
const next = (who: Member, about: Member, since: number, type: MeshEvent['type']): Promise<number> =>
  eventually(
    `${type} of ${about.host.name}, told to ${who.host.name}`,
    () => told(who, about.peerId, since).find(({ event }) => event.type === type)?.at,
  )

/** When it was first shown as suspect or gone: a busy machine may take longer to give it up. */
const noticed = (who: Member, about: Member, since: number): Promise<number> =>
  eventually(
    `${about.host.name} noticed by ${who.host.name}`,
    () => told(who, about.peerId, since).find(({ event }) => event.type === 'peer.suspect' || event.type === 'peer.disconnected')?.at,
  )

const told = ({ heard }: Member, peerId: PeerId, since: number): Member['heard'] =>
  heard.filter(({ at, event }) => at >= since && event.peerId === peerId)

const alarms = (who: Member, about: Member, since: number): string[] =>
  told(who, about.peerId, since).flatMap(({ event }) =>
    event.type === 'peer.suspect' || event.type === 'peer.disconnected' ? [event.type] : [],
  )

/** One call after another; fails with the first that fails. */
async function askFor(ms: number, member: Member): Promise<void> {
  const end = performance.now() + ms
  let calls = 0
  while (performance.now() < end) await ask(member, `call ${(calls += 1)}`)
  assert.ok(calls > 1)
}

/** By the command, run on the same host. */
async function listedBy({ machine }: Member): Promise<{ peerId: string; state: string }[]> {
  const { stdout, stderr, code } = await machine.run(['nodes', '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as { peerId: string; state: string }[]
}

const wholeLines = (output: string): string =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .join('\n')
