import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const TOP = 12

interface CpuProfile {
  nodes: ProfileNode[]
  samples: number[]
  timeDeltas: number[]
}
interface ProfileNode {
  id: number
  callFrame: { functionName: string; url: string; lineNumber: number }
  children?: number[]
}

/** Where each process of a profiled run spent its busy time: per package, and in the functions with the most time of their own. */
export function profileText(directory: string): string {
  return globSync(join(directory, '*.cpuprofile'))
    .map((file) => {
      const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
      return [mainFileOf(profile), 'by package', ...top(profile, packageOf), 'by function', ...top(profile, functionOf)].join('\n')
    })
    .join('\n\n')
}

function top({ nodes, samples, timeDeltas }: CpuProfile, labelOf: (node: ProfileNode) => string): string[] {
  const labels = new Map(nodes.map((node) => [node.id, labelOf(node)]))
  const idle = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id))
  const self = new Map<string, number>()
  let busy = 0
  samples.forEach((id, index) => {
    if (idle.has(id)) return
    const micros = timeDeltas[index] ?? 0
    const label = labels.get(id) ?? '?'
    busy += micros
    self.set(label, (self.get(label) ?? 0) + micros)
  })
  return [...self]
    .sort(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([label, micros]) => `  ${((100 * micros) / busy).toFixed(1).padStart(5)} %  ${label}`)
}

const functionOf = ({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string =>
  `${functionName || '(anonymous)'} ${shortUrl(url)}:${lineNumber + 1}`

function packageOf({ callFrame: { functionName, url } }: ProfileNode): string {
  const short = shortUrl(url)
  if (short === '') return functionName.startsWith('(') ? functionName : 'native code'
  if (short.startsWith('node:')) return short.split('/').slice(0, 2).join('/')
  if (short.startsWith('packages/'))
    return short
      .split('/')
      .filter((part) => part !== 'src')
      .slice(0, 3)
      .join('/')
  return short
    .split('/')
    .slice(0, short.startsWith('@') ? 2 : 1)
    .join('/')
}

/** A worker's profile has its own; the process is named by the first of our files in it. */
function mainFileOf({ nodes }: CpuProfile): string {
  const files = nodes.map(({ callFrame: { url } }) => shortUrl(url))
  return files.find((file) => /^(bench\/roles|packages\/cli|packages\/agent)\//.test(file)) ?? files.find((file) => file !== '') ?? '?'
}

const shortUrl = (url: string): string => url.replace(/^.*\/node_modules\//, '').replace(/^file:\/\/.*\/(packages|bench)\//, '$1/')
