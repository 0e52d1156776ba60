/** 0 (nothing in common) to 1 (equal), by pairs of characters (Dice). */
export function similarity(a: string, b: string): number {
  if (a === b) return 1
  if (a.length < 2 || b.length < 2) return 0
  const pairs = new Map<string, number>()
  for (let i = 0; i < a.length - 1; i += 1) pairs.set(a.slice(i, i + 2), (pairs.get(a.slice(i, i + 2)) ?? 0) + 1)
  let common = 0
  for (let i = 0; i < b.length - 1; i += 1) {
    const left = pairs.get(b.slice(i, i + 2)) ?? 0
    if (left === 0) continue
    common += 1
    pairs.set(b.slice(i, i + 2), left - 1)
  }
  return (2 * common) / (a.length + b.length - 2)
}
