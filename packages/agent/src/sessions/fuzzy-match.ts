/** Paths that hold the characters of `wanted` in their order, whatever the case; the best first. */
export function bestMatches<Item extends { path: string }>(items: readonly Item[], wanted: string): Item[] {
  const needle = wanted.toLowerCase()
  return items
    .flatMap((item) => {
      const score = scoreOf(item.path.toLowerCase(), needle)
      return score === undefined ? [] : [{ item, score }]
    })
    .sort((a, b) => a.score - b.score || a.item.path.length - b.item.path.length || (a.item.path < b.item.path ? -1 : 1))
    .map(({ item }) => item)
}

/** Lower is better: a path's beginning or its name's, then a piece of the name, a piece of the path, scattered in the name, scattered. */
function scoreOf(path: string, needle: string): number | undefined {
  if (needle === '' || path.startsWith(needle)) return 0
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name.startsWith(needle)) return 0
  if (name.includes(needle)) return 1
  if (path.includes(needle)) return 2
  if (isScattered(name, needle)) return 3
  return isScattered(path, needle) ? 4 : undefined
}

function isScattered(text: string, needle: string): boolean {
  let at = -1
  for (const char of needle) {
    at = text.indexOf(char, at + 1)
    if (at === -1) return false
  }
  return true
}
