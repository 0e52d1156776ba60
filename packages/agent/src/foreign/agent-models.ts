import { toAppError } from '@qmtcode/protocol'
import type { AgentModels, Clock, Logger } from '@qmtcode/protocol'
import type { AgentSession } from './agent-session.ts'
import { modelChoices } from './settings.ts'
import type { AgentSettings } from './settings.ts'
import type { ForeignAgent } from './types.ts'

/** What agents told of their models, by agent and directory: they read settings there. */
export interface KnownModels {
  /** Of every agent, or of one; asked at most once at a time, and kept. */
  of(query: { agent?: string; workspace: string }): Promise<AgentModels[]>
  /** What a session that was opened told anyway. */
  learn(agent: ForeignAgent, workspace: string, settings: AgentSettings): void
  /** Resolves when nobody is asked any more. */
  settled(): Promise<void>
}

export interface KnownModelsComponents {
  agents: readonly ForeignAgent[]
  /** A session to look at, its caller's to stop. */
  open(agent: ForeignAgent, cwd: string): Promise<AgentSession>
  clock: Clock
  log: Logger
}

export interface KnownModelsOptions {
  /** How long an answer is believed. Default: 10 min; a failure 10 s. */
  maxAgeMs?: number
  failureAgeMs?: number
}

interface Told {
  answer: Promise<AgentModels>
  /** Monotonic; while it is asked, for ever. */
  until: number
}

const MAX_KEPT = 200
const MAX_MODELS = 500
const MAX_ID_CHARS = 300
const MAX_NAME_CHARS = 200
const MAX_PROBLEM_CHARS = 1_000

export function createKnownModels({ agents, open, clock, log }: KnownModelsComponents, options: KnownModelsOptions = {}): KnownModels {
  const { maxAgeMs = 600_000, failureAgeMs = 10_000 } = options
  const known = new Map<string, Told>()
  let last: Promise<void> = Promise.resolve()

  const keep = (key: string, told: Told): void => {
    known.delete(key)
    known.set(key, told)
    const [oldest] = known.keys()
    if (known.size > MAX_KEPT && oldest !== undefined) known.delete(oldest)
  }
  const look = async (agent: ForeignAgent, workspace: string): Promise<AgentModels> => {
    const session = await open(agent, workspace)
    try {
      return toldBy(agent.id, session.settings)
    } finally {
      await session.discard().catch((error: unknown) => log.debug('an empty session stays at its agent', { error: String(error) }))
      await session.stop()
    }
  }
  /** One after the other: each is a process that loads much. */
  const ask = (agent: ForeignAgent, workspace: string): Told => {
    const asking = last.then(() => look(agent, workspace))
    last = asking.then(
      () => {},
      () => {}, // told in its answer
    )
    const told: Told = { answer: Promise.resolve({ agent: agent.id, models: [] }), until: Infinity }
    told.answer = asking.then(
      (answer) => {
        told.until = clock.monotonic() + maxAgeMs
        return answer
      },
      (error: unknown) => {
        told.until = clock.monotonic() + failureAgeMs
        const { code, message, hint } = toAppError(error)
        const problem = (hint === undefined ? message : `${message}; ${hint}`).slice(0, MAX_PROBLEM_CHARS)
        return { agent: agent.id, models: [], problem, code }
      },
    )
    return told
  }
  return {
    of: async ({ agent: id, workspace }) => {
      const asked = agents.filter((agent) => id === undefined || agent.id === id)
      const answers = asked.map(async (agent) => {
        const key = keyOf(agent, workspace)
        const told = known.get(key)
        if (told && told.until > clock.monotonic()) return await told.answer
        const next = ask(agent, workspace)
        keep(key, next)
        return await next.answer
      })
      return await Promise.all(answers)
    },
    learn: (agent, workspace, settings) =>
      keep(keyOf(agent, workspace), { answer: Promise.resolve(toldBy(agent.id, settings)), until: clock.monotonic() + maxAgeMs }),
    settled: () => last,
  }
}

const keyOf = ({ id }: ForeignAgent, workspace: string): string => `${id}\n${workspace}`

/** In the form that a session takes: `agent/model`. */
function toldBy(agent: string, settings: AgentSettings): AgentModels {
  const { choices, current } = modelChoices(settings)
  const models = choices
    .map(({ value, name }) => ({ id: `${agent}/${value}`, name: name.slice(0, MAX_NAME_CHARS) }))
    .filter(({ id }) => id.length <= MAX_ID_CHARS)
    .slice(0, MAX_MODELS)
  const now = current === undefined ? undefined : `${agent}/${current}`
  return { agent, models, ...(models.some(({ id }) => id === now) && { current: now }) }
}
