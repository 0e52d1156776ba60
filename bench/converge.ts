import { join } from 'node:path'
import type { PeerId } from '@qmtcode/protocol'
import type { Bench, BenchContext } from './support/bench.ts'
import type { Role } from './support/children.ts'
import type { NodeInit } from './support/mesh.ts'
import { rowOf } from './support/rounds.ts'
import { median, short } from './support/stats.ts'

const NODES = 50
const PROCESSES = 5
/** Node i is linked to i ± 1 and i ± 7: each has four links, and nobody is more than 6 away from anybody. */
const STEPS = [1, 7]
const CHANGES = 5 // of a round
const BENCH = 'converge'

interface Member {
  role: Role
  peerId: PeerId
  directory: string
}

/** How long it takes until all know what one of them tells of itself, most of them by gossip over several nodes. */
export const converge: Bench = {
  name: BENCH,
  async run(context) {
    const { members, roles } = await openMembers(context)
    const startedAt = performance.now()
    await Promise.all(roles.map((role) => role.call('know', { others: NODES - 1 })))
    const firstMs = performance.now() - startedAt
    await change(roles, members[0], 1)
    const rounds: number[][] = []
    for (let round = 0; round < context.rounds; round += 1) {
      const times: number[] = []
      for (let count = 0; count < CHANGES; count += 1) {
        const number = round * CHANGES + count
        times.push(...(await change(roles, members[(3 * number) % NODES], 2 + number)))
      }
      rounds.push(times)
    }
    const note = `${PROCESSES} processes, 4 links a node; all knew all ${short(firstMs)} ms after the last was started`
    return [
      rowOf(
        { bench: BENCH, what: `directory of ${NODES} nodes: until a change of one is known at another, p50`, unit: 'ms', note },
        rounds.map(median),
      ),
      rowOf(
        {
          bench: BENCH,
          what: `directory of ${NODES} nodes: until a change of one is known at all`,
          unit: 'ms',
          note: 'the slowest of a round',
        },
        rounds.map((times) => Math.max(...times)),
      ),
    ]
  },
}

async function openMembers({ children, directory }: BenchContext): Promise<{ members: Member[]; roles: Role[] }> {
  const roles = Array.from({ length: PROCESSES }, () => children.role(new URL('roles/members.ts', import.meta.url)))
  const members: Member[] = []
  for (let index = 0; index < NODES; index += 1) {
    const role = roles[index % PROCESSES]
    if (!role) throw new Error('there are processes')
    const own = join(directory, 'members')
    members.push({ role, directory: own, peerId: await role.call<PeerId>('identity', { directory: own, index }) })
  }
  const addresses: string[] = []
  for (const [index, { role, directory: own }] of members.entries()) {
    addresses.push(await role.call<string>('start', { directory: own, index, peers: linksOf(index, members, addresses) }))
  }
  return { members, roles }
}

/** The later of two dials: it knows where the earlier is. */
const linksOf = (index: number, members: readonly Member[], addresses: readonly string[]): NodeInit['peers'] =>
  STEPS.flatMap((step) => [(index + step) % NODES, (index - step + NODES) % NODES]).map((other) => ({
    name: `node-${other}`,
    addr: addresses[other],
    peerId: members[other]?.peerId,
    role: 'member',
  }))

/** Milliseconds until each of the others has seen it. */
async function change(roles: readonly Role[], speaker: Member | undefined, sessions: number): Promise<number[]> {
  if (!speaker) throw new Error('there is a speaker')
  const { peerId } = speaker
  const seen = Promise.all(roles.map((role) => role.call<number[]>('seen', { peerId, sessions })))
  await Promise.all(roles.map((role) => role.call('ready')))
  const saidAt = await speaker.role.call<number>('say', { peerId, sessions })
  return (await seen).flat().map((at) => at - saidAt)
}
