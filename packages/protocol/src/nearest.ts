/** The candidate that a person most likely meant, or none: within a third of its length in edits. `-`, `_`, `.` and case do not count. */
export function nearest(written: string, candidates: readonly string[]): string | undefined {
  const plain = (word: string) => word.toLowerCase().replaceAll(/[-_.\s]/g, '')
  const wanted = plain(written)
  let best: { candidate: string; edits: number } | undefined
  for (const candidate of candidates) {
    const edits = editsBetween(wanted, plain(candidate))
    if (edits <= Math.max(1, Math.floor(candidate.length / 3)) && edits < (best?.edits ?? Infinity)) best = { candidate, edits }
  }
  return wanted.length < 2 ? undefined : best?.candidate
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editsBetween(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8) return Infinity
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, (beforeLast[j - 2] ?? 0) + 1)
      row.push(edits)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}

/** ` (did you mean "…"?)`, or nothing. */
export function didYouMean(written: string, candidates: readonly string[]): string {
  const near = nearest(written, candidates)
  return near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`
}
