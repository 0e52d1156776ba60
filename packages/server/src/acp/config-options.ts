import type { SessionConfigOption, SessionModeState } from '@agentclientprotocol/sdk'
import { AppError, modelIdSchema } from '@qmtcode/protocol'
import type { AgentModels, AgentSpec, SessionChange, SessionInfo } from '@qmtcode/protocol'

/** An agent as an editor's sessions need it. */
export type AcpAgent = Pick<AgentSpec, 'id' | 'name' | 'description' | 'model'>

const MODES = [
  { id: 'build', name: 'Build', description: 'All tools; what changes something is asked for' },
  { id: 'plan', name: 'Plan', description: 'Reads and thinks, changes nothing' },
] as const

/** The model of a session that never named one. */
const DEFAULT_MODEL = 'default'

export const modesOf = ({ mode }: SessionInfo): SessionModeState => ({ currentModeId: mode, availableModes: [...MODES] })

/** What can be chosen in a session: its mode, and its model among `models` (as `provider/model` or `node:provider/model`), or those that its agent brings. */
export function configOptionsOf(
  info: SessionInfo,
  agents: readonly AcpAgent[],
  { models, brought }: { models: readonly string[]; brought?: AgentModels },
): SessionConfigOption[] {
  const byDefault = brought ? brought.current : agents.find(({ id }) => id === info.agent)?.model
  const current = info.model ?? byDefault ?? DEFAULT_MODEL
  const offered = brought ? brought.models.map(({ id }) => id) : models
  const nameOf = (value: string): string => brought?.models.find(({ id }) => id === value)?.name ?? value
  const values = [...new Set([current, ...offered])]
  return [
    {
      type: 'select',
      id: 'mode',
      name: 'Mode',
      category: 'mode',
      currentValue: info.mode,
      options: MODES.map(({ id, name, description }) => ({ value: id, name, description })),
    },
    {
      type: 'select',
      id: 'model',
      name: 'Model',
      category: 'model',
      currentValue: current,
      options: values.map((value) => ({ value, name: value === DEFAULT_MODEL ? 'Default' : nameOf(value) })),
    },
  ]
}

/** The change that a chosen option means. Throws bad_request. */
export function changeOf(configId: string, value: unknown): SessionChange {
  if (configId === 'mode') return { mode: modeOf(value) }
  if (configId === 'model') return { model: modelOf(value) }
  throw new AppError('bad_request', `there is no option ${JSON.stringify(configId.slice(0, 60))}: there are mode and model`)
}

export function modeOf(value: unknown): 'build' | 'plan' {
  if (value === 'build' || value === 'plan') return value
  throw new AppError('bad_request', `mode ${JSON.stringify(String(value).slice(0, 60))}: expected build or plan`)
}

function modelOf(value: unknown): string {
  const text = String(value)
  const ofProvider = text.slice(text.indexOf(':', 0) + 1)
  if (typeof value === 'string' && (modelIdSchema.safeParse(text).success || modelIdSchema.safeParse(ofProvider).success)) return text
  const hint = text === DEFAULT_MODEL ? 'a session that named a model keeps one: begin a new session' : undefined
  throw new AppError('bad_request', `model ${JSON.stringify(text.slice(0, 120))}: expected provider/model or node:provider/model`, { hint })
}
