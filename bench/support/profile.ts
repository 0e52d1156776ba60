import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const TOP = 15

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  timeDeltas: number[]
}

/** Where each process of a profiled run spent its time: the functions with the most self time. */
export function profileText(directory: string): string {
  return globSync(join(directory, '*.cpuprofile'))
    .map((file) => `${file}\n${topEntries(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile).join('\n')}`)
    .join('\n\n')
}

function topEntries({ nodes, samples, timeDeltas }: CpuProfile): string[] {
  const nameOf = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || '(anonymous)'} ${shortUrl(url)}:${lineNumber + 1}`,
    ]),
  )
  const self = new Map<string, number>()
  let busy = 0
  samples.forEach((id, index) => {
    const name = nameOf.get(id) ?? '?'
    if (name.startsWith('(idle)')) return
    const micros = timeDeltas[index] ?? 0
    busy += micros
    self.set(name, (self.get(name) ?? 0) + micros)
  })
  return [...self]
    .sort(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([name, micros]) => `  ${((100 * micros) / busy).toFixed(1).padStart(5)} %  ${name}`)
}

const shortUrl = (url: string): string => url.replace(/^.*\/node_modules\//, '').replace(/^file:\/\/.*\/packages\//, 'packages/')
