/** Whose room something takes. */
export interface Owner {
  /** The root of a mesh: others' things give way to its own, and never the other way round. */
  isRoot: boolean
  /** The root's direct grantee under which the signer stands, with the mesh: all that it brings counts together. */
  branch: string
  signer: string
}

/** Bounded room that is shared by signer and branch, so that nobody fills the room of others. */
export interface Shares<Thing> {
  add(thing: Thing, owner: Owner): void
  remove(thing: Thing): void
  /**
   * Of which things one has to go before one more of `owner` has room, the oldest first. Undefined: there is room.
   * None: there is no room for it. `isOwn`: they are the signer's own.
   */
  givesWay(owner: Owner): { things: readonly Thing[]; isOwn: boolean } | undefined
}

export function createShares<Thing>({ max, maxPerSigner }: { max: number; maxPerSigner: number }): Shares<Thing> {
  const owners = new Map<Thing, Owner>()
  const bySigner = new Map<string, { owner: Owner; things: Set<Thing> }>()
  const byBranch = new Map<string, number>()
  const keyOf = ({ branch, signer }: Owner): string => `${branch} ${signer}`
  const sizeOf = (owner: Owner): number => bySigner.get(keyOf(owner))?.things.size ?? 0

  /** The branch that holds most, and in it the signer that holds most; the owner's own where these hold no more than it would. */
  function largest(owner: Owner): Owner {
    const all = [...bySigner.values()].map((group) => group.owner)
    const others = all.filter(({ isRoot }) => !isRoot)
    const candidates = owner.isRoot && others.length === 0 ? all : others
    const total = ({ branch }: Owner): number => byBranch.get(branch) ?? 0
    const branch = maxBy(candidates, total)
    if (!branch) return owner
    const isFair = owner.isRoot && !branch.isRoot ? true : total(branch) > total(owner) + 1
    const within = isFair ? branch.branch : owner.branch
    const signer = maxBy(
      candidates.filter((other) => other.branch === within),
      sizeOf,
    )
    return signer && (isFair || sizeOf(signer) > sizeOf(owner) + 1) ? signer : owner
  }
  return {
    add(thing, owner) {
      const group = bySigner.get(keyOf(owner)) ?? { owner, things: new Set() }
      bySigner.set(keyOf(owner), group)
      group.things.add(thing)
      owners.set(thing, owner)
      byBranch.set(owner.branch, (byBranch.get(owner.branch) ?? 0) + 1)
    },
    remove(thing) {
      const owner = owners.get(thing)
      if (!owner) return
      owners.delete(thing)
      const group = bySigner.get(keyOf(owner))
      group?.things.delete(thing)
      if (group?.things.size === 0) bySigner.delete(keyOf(owner))
      byBranch.set(owner.branch, (byBranch.get(owner.branch) ?? 1) - 1)
    },
    givesWay(owner) {
      const isFull = owners.size >= max
      const isOverOwn = !owner.isRoot && sizeOf(owner) >= maxPerSigner
      if (!isFull && !isOverOwn) return undefined
      const from = isOverOwn ? owner : largest(owner)
      return { things: [...(bySigner.get(keyOf(from))?.things ?? [])], isOwn: keyOf(from) === keyOf(owner) }
    },
  }
}

function maxBy<Item>(items: readonly Item[], measure: (item: Item) => number): Item | undefined {
  const [first, ...rest] = items
  if (first === undefined) return undefined
  return rest.reduce((best, item) => (measure(item) > measure(best) ? item : best), first)
}
