import type { DurableEvent, Json } from '@qmtcode/protocol'
import { isWithin } from '../tools/real-path.ts'
import type { ToolSet } from '../tools/types.ts'
import type { Workspace } from '../tools/workspace.ts'
import type { Reach, Span } from './types.ts'

/** A file that is attached to a prompt was read a little earlier. */
const ATTACHING_MS = 2_000

export interface ReachComponents {
  workspace: Workspace
  /** Whose calls name files. Absent: commands see all, so no call says more. */
  tools?: ToolSet
  now(): number
}

/** What a session can get: all of its workspace, what its commands can see, and the files that its calls named. */
export interface SessionReach {
  observe(event: DurableEvent): void
  now(): Promise<Reach>
}

export function createSessionReach({ workspace, tools, now }: ReachComponents): SessionReach {
  const { root, confinement } = workspace
  const spans = createSpans()
  const named = new Set<string>()
  let unresolved: string[] = []
  const isSeen = (path: string): boolean => confinement.kind === 'none' || confinement.shows?.(path) !== false
  return {
    observe(event) {
      spans.observe(event)
      const path = event.type === 'tool.started' ? pathOf(tools, event) : undefined
      if (path !== undefined) unresolved.push(path)
    },
    now: async () => {
      const paths = [...new Set(unresolved)]
      unresolved = []
      for (const path of paths) {
        const resolved = await workspace.resolve(path).catch(() => workspace.locate(path))
        if (resolved.place === 'outside') named.add(resolved.real)
      }
      const meets = (place: string, path: string, isWhole: boolean): boolean => isWithin(place, path) || (isWhole && isWithin(path, place))
      return {
        covers: ({ path, isWhole }) => isSeen(path) || [root, ...named].some((place) => meets(place, path, isWhole)),
        spans: spans.until(now()),
      }
    },
  }
}

function pathOf(tools: ToolSet | undefined, { name, input }: { name: string; input: Json }): string | undefined {
  const tool = tools?.get(name)
  const parsed = tool?.inputSchema.safeParse(input)
  return parsed?.success === true ? tool?.target?.(parsed.data).path : undefined
}

/** All the time in its turns but that in which it waited for people. */
function createSpans() {
  const found: Span[] = []
  let since: number | undefined
  return {
    observe(event: DurableEvent): void {
      const { type, at } = event
      const isAttaching = type === 'prompt.accepted' && event.content.some((part) => part.type === 'file')
      if (isAttaching) found.push({ from: at - ATTACHING_MS, to: at })
      if (since !== undefined && type !== 'permission.answered' && type !== 'question.answered') found.push({ from: since, to: at })
      if (type === 'turn.started' || since !== undefined) since = type === 'turn.ended' ? undefined : at
    },
    until: (now: number): readonly Span[] => (since === undefined ? found : [...found, { from: since, to: now }]),
  }
}
