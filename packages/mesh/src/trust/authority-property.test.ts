// Two meshes live the same life; in one an admin and its puppets also sign, show, send and replay whatever they can. QMT_SEED, QMT_MESHES: which, and how many.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROLES, roleIncludes } from '@qmtcode/protocol'
import type { Clock, PeerId, Role } from '@qmtcode/protocol'
import { HELLO } from '../testing/stranger.ts'
import { newSigner } from '../testing/signer.ts'
import type { Signer } from '../testing/signer.ts'
import { seeded } from '../testing/seeded.ts'
import { helloOf, joins, meet, trustNode } from '../testing/trust-kit.ts'
import type { TrustNode } from '../testing/trust-kit.ts'
import { isCurrent, issueGrant, readChain, splitChains } from './grant.ts'
import type { Chain, Grant } from './grant.ts'
import { readBan, signBan } from './mesh-ban.ts'
import type { MeshBan } from './mesh-ban.ts'
import { signRotation } from './rotation.ts'

const SEED = Number(process.env['QMT_SEED'] ?? 1)
const MESHES = Number(process.env['QMT_MESHES'] ?? 12)
const STEPS = 60
const DAY = 86_400_000
const DATES = [-365 * DAY, -20 * DAY, -DAY, 0, 60_000, DAY - 1, 2 * DAY, 365 * DAY]

const NAMES = ['root', 'alice', 'bob', 'carol', 'here', 'mallory'] as const
type Name = (typeof NAMES)[number]
const HONEST = NAMES.filter((name) => name !== 'mallory')
type Random = (below: number) => number
const pick = <Item>(random: Random, items: readonly Item[]): Item => {
  const item = items[random(items.length)]
  assert.ok(item !== undefined)
  return item
}

interface World {
  nodes: Record<Name, TrustNode>
  clock: Clock
  pass(ms: number): void
}

/** alice and mallory are admins, bob and here members by the root, carol is a client by alice. */
async function newWorld(signers: Record<Name, Signer>): Promise<World> {
  let now = 1_800_000_000_000
  const clock: Clock = { now: () => now, monotonic: () => now }
  const made = await Promise.all(NAMES.map(async (name) => [name, await trustNode(signers[name], clock)] as const))
  const nodes = Object.fromEntries(made) as World['nodes']
  for (const [name, role] of [
    ['alice', 'admin'],
    ['mallory', 'admin'],
    ['bob', 'member'],
    ['here', 'member'],
  ] as const)
    await joins(nodes[name], nodes.root, { role })
  await joins(nodes.carol, nodes.alice)
  return { nodes, clock, pass: (ms) => (now += ms) }
}

/** The root takes back what was said in both worlds; else its word would be there in one alone, since it lifts made up bans, too. */
async function rootLifts({ root, ...nodes }: World['nodes'], of: Name, by: 'root' | 'alice'): Promise<void> {
  const all = { ...nodes, root }
  const [peer, signer] = [all[of], all[by]]
  const words = root.trust.grants.bansOn(root.self, peer.self)
  if (words.some((word) => word.by === signer.self && !word.lifted)) await root.membership.unban(peer.self)
}

/** What happens in both worlds. mallory passes no bans on: whether it does is its own affair. */
function lifeStep(random: Random): (world: World) => Promise<unknown> {
  const [a, b, role] = [pick(random, NAMES), pick(random, NAMES), pick(random, ROLES)]
  const steps: ((world: World) => Promise<unknown>)[] = [
    ({ nodes }) => (a === b ? Promise.resolve() : meet(nodes[a], nodes[b], nodes.mallory)),
    ({ nodes }) => (a === 'root' ? Promise.resolve() : meet(nodes[a], nodes.root, nodes.mallory)),
    ({ nodes }) => (a === 'here' ? Promise.resolve() : meet(nodes[a], nodes.here, nodes.mallory)),
  ]
  const rare: ((world: World) => Promise<unknown>)[] = [
    (world) => Promise.resolve(world.pass(a === 'bob' ? 365 * DAY : (2 + ROLES.indexOf(role) * 2) * DAY)),
    (world) => Promise.resolve(world.pass(a === 'bob' ? -365 * DAY : DAY)),
    ({ nodes }) => nodes.root.membership.ban(nodes.mallory.self),
    ({ nodes }) => rootLifts(nodes, 'mallory', 'root'),
    ({ nodes }) => nodes.root.trust.setRole(nodes.mallory.self, role),
    ({ nodes }) => nodes.here.trust.setRole(nodes.mallory.self, role),
    ({ nodes }) => nodes.alice.membership.ban(nodes.carol.self),
    ({ nodes }) => nodes.alice.membership.unban(nodes.carol.self),
    ({ nodes }) => rootLifts(nodes, 'carol', 'alice'),
    ({ nodes }) => nodes.root.membership.ban(nodes.bob.self),
    ({ nodes }) => rootLifts(nodes, 'bob', 'root'),
  ]
  const step = random(3) > 0 ? pick(random, steps) : pick(random, rare)
  return async (world) => await step(world).catch(() => undefined)
}

/** mallory and what it can make: each word it has heard, and whatever its keys sign. */
function newAttacker(world: World, puppets: readonly Signer[], random: Random) {
  const { nodes, clock } = world
  const family: Signer[] = [nodes.mallory, ...puppets]
  const chains: Chain[] = []
  const bans: MeshBan[] = []
  const rotations: string[][] = []
  const anybody = (): PeerId => pick(random, [...NAMES.map((name) => nodes[name].self), ...puppets.map(({ self }) => self)])
  const learn = (): void => {
    for (const chain of nodes.mallory.membership.shown().chains)
      if (!chains.some((known) => known.join() === chain.join())) chains.push(chain)
    for (const tokens of Object.values(nodes.mallory.content.grants)) chains.push(...splitChains(tokens).map(({ chain }) => chain))
    bans.push(...nodes.mallory.trust.grants.bansAfter(0).map(({ ban }) => ban))
  }
  async function forge(to: PeerId = anybody()): Promise<Chain | undefined> {
    const by = pick(random, family)
    const parents = chains.filter((chain) => readChain(chain).at(-1)?.to === by.self)
    if (parents.length === 0) return undefined
    const ids = Object.values(nodes).flatMap(({ content }) =>
      Object.values(content.own).flatMap((chain) => readChain(chain).map(({ id }) => id)),
    )
    const terms = { to, role: pick(random, ROLES), ...(random(2) === 0 && { id: pick(random, ids) }) }
    try {
      const chain = await issueGrant(terms, { ...by, parent: pick(random, parents) }, Math.max(1, clock.now() + pick(random, DATES)))
      chains.push(chain)
      return chain
    } catch {
      return undefined
    }
  }
  async function sayBan(): Promise<void> {
    const by = pick(random, family)
    const peer = anybody()
    const given = { root: nodes.root.self, peer, by: by.self, at: clock.now() + pick(random, DATES) }
    const chain = chains.filter((known) => readChain(known).at(-1)?.to === peer).at(-1) ?? (await forge(peer)) ?? []
    bans.push(await signBan({ ...given, ...(random(3) === 0 && { lifted: true as const }) }, chain, by.key))
  }
  async function show(at: TrustNode): Promise<void> {
    const by = pick(random, family)
    if (at.trust.standing(by.self).state === 'banned' || chains.length === 0) return
    const shown = [pick(random, chains), pick(random, chains)].map((chain) => [...chain])
    const rotated = random(4) === 0 && rotations.length > 0 ? pick(random, rotations) : undefined
    const granted = random(2) === 0 ? shown[0] : undefined
    await at.membership[random(2) === 0 ? 'asked' : 'heard'](by.self, { ...HELLO, grants: shown, rotated, granted })
  }
  async function rotate(): Promise<void> {
    const [before, after] = [pick(random, family), pick(random, family)]
    if (before !== after) rotations.push([await signRotation({ before: before.self, after: after.self, at: clock.now() }, before.key)])
  }
  /** News of others, brought early, is no attack. */
  const isOwnOrOld = (ban: MeshBan, at: TrustNode): boolean => {
    const said = readBan(ban)
    const known = at.trust.grants.bansOn(said.root, said.peer).find(({ by }) => by === said.by)
    return family.some(({ self }) => self === said.by) || (known !== undefined && known.at >= said.at)
  }
  return {
    family,
    async step(): Promise<void> {
      learn()
      const at = nodes[pick(random, HONEST)]
      const attacks = [forge, forge, sayBan, sayBan, () => show(at), () => show(at), () => show(at), rotate]
      await pick(random, attacks)()
      for (let nth = random(4); nth > 0 && bans.length > 0; nth -= 1) {
        const ban = pick(random, bans)
        if (isOwnOrOld(ban, at)) await at.membership.takeBan(ban).catch(() => undefined)
      }
    },
  }
}

/** What the root signed for mallory, as far as anybody can have it. */
function newNotes(world: World) {
  const issued = new Map<string, Grant>()
  return {
    look(): void {
      const { mallory, root } = world.nodes
      const tokens = [...Object.values(mallory.content.own).flat(), ...(root.content.grants[mallory.self] ?? [])]
      for (const grant of readChain(tokens)) if (grant.by === root.self) issued.set(JSON.stringify(grant), grant)
    },
    /** The most that mallory's family may be at a node. */
    most(at: TrustNode): Role | undefined {
      const { mallory, root } = world.nodes
      const last = at.trust.grants.bansOn(root.self, mallory.self).find(({ by }) => by === root.self)
      if (last && !last.lifted) return undefined
      const current = [...issued.values()].filter((grant) => isCurrent([grant], world.clock.now()))
      const role = current.map((grant) => grant.role).toSorted((a, b) => ROLES.indexOf(b) - ROLES.indexOf(a))[0]
      const { atMost = 'admin' } = at.trust.personal(mallory.self)
      return role && (roleIncludes(role, atMost) ? atMost : role)
    },
  }
}

for (let seed = SEED * 1_000; seed < SEED * 1_000 + MESHES; seed += 1) {
  test(`nobody gains or loses by what one below or beside signed: a mesh of seed ${seed}`, async () => {
    const signers = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await newSigner()]))) as Record<Name, Signer>
    const [calm, attacked] = [await newWorld(signers), await newWorld(signers)]
    const [life, malice] = [seeded(seed), seeded(seed + 1)]
    const attacker = newAttacker(attacked, [await newSigner(), await newSigner()], malice)
    const notes = newNotes(attacked)
    for (let nth = 0; nth < STEPS; nth += 1) {
      const step = lifeStep(life)
      await step(calm)
      notes.look()
      await step(attacked)
      notes.look()
      for (let more = malice(5); more > 0; more -= 1) await attacker.step()
      for (const name of HONEST) {
        const [there, here] = [calm.nodes[name], attacked.nodes[name]]
        for (const of of HONEST) assert.equal(here.says(signers[of]), there.says(signers[of]), `${of} at ${name} after step ${nth}`)
        const own = (node: TrustNode) => helloOf(node).grants?.map((chain) => readChain(chain).map(({ by, role }) => `${role} by ${by}`))
        assert.deepEqual(own(here), own(there), `what ${name} holds after step ${nth}`)
        const most = notes.most(here)
        for (const [of, { self }] of attacker.family.entries()) {
          const { role } = here.trust.standing(self)
          assert.ok(
            role === undefined || roleIncludes(most, role),
            `${of} of the family is ${role} at ${name}, at most ${most}, after step ${nth}`,
          )
        }
      }
    }
  })
}
