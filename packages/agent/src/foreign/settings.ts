import type { SessionConfigOption, SessionModeState } from '@agentclientprotocol/sdk'
import { AppError } from '@qmtcode/protocol'

/** What an agent says can be set in a session of it. */
export interface AgentSettings {
  modes?: SessionModeState | null
  configOptions?: SessionConfigOption[] | null
}

interface Choice {
  value: string
  name: string
}

type SelectOption = Extract<SessionConfigOption, { type: 'select' }>

export interface SettingsSession {
  readonly settings: AgentSettings
  setMode(modeId: string): Promise<void>
  setOption(configId: string, value: string): Promise<void>
}

const PLAN = 'plan'
const MAX_OFFERED = 40 // named in an error
/** What agents call the mode that does the work, best first. */
const BUILD_MODES = ['default', 'build', 'code', 'agent']

/** Sets mode and model of our session in the agent's. Throws unsupported, naming what it offers. */
export async function applySettings(
  session: SettingsSession,
  wanted: { agentId: string; model?: string; mode: 'build' | 'plan' },
): Promise<void> {
  await applyMode(session, wanted)
  if (wanted.model !== undefined) await applyModel(session, wanted.agentId, wanted.model)
}

/** The model that the agent says it uses. */
export function currentModel({ configOptions }: AgentSettings): string | undefined {
  return modelOption(configOptions)?.currentValue
}

/** The models that may be chosen, and the one that is; none where the agent lets nobody choose. */
export function modelChoices({ configOptions }: AgentSettings): { choices: Choice[]; current?: string } {
  const option = modelOption(configOptions)
  return option ? { choices: choicesOf(option), current: option.currentValue } : { choices: [] }
}

async function applyModel(session: SettingsSession, agentId: string, model: string): Promise<void> {
  const option = modelOption(session.settings.configOptions)
  if (!option) {
    throw new AppError('unsupported', `agent ${agentId} lets nobody choose its model: ${model} cannot be set`, {
      hint: 'leave the model out; the agent has settings of its own',
    })
  }
  const choices = choicesOf(option)
  const bare = model.startsWith(`${agentId}/`) ? model.slice(agentId.length + 1) : model
  const found = choices.find(({ value, name }) => value === model || value === bare || name === bare)
  if (!found) {
    const offered = choices.slice(0, MAX_OFFERED).map(({ value }) => `${agentId}/${value}`)
    throw new AppError('unsupported', `agent ${agentId} has no model ${model}`, { hint: `it offers: ${offered.join(', ')}` })
  }
  if (found.value !== option.currentValue) await session.setOption(option.id, found.value)
}

async function applyMode(session: SettingsSession, { agentId, mode }: { agentId: string; mode: 'build' | 'plan' }): Promise<void> {
  const modes = modesOf(session)
  if (mode === 'plan') {
    if (!modes?.choices.includes(PLAN)) {
      throw new AppError('unsupported', `agent ${agentId} has no mode plan`, { hint: `it offers: ${modes?.choices.join(', ') ?? 'none'}` })
    }
    if (modes.current !== PLAN) await modes.set(PLAN)
    return
  }
  if (modes?.current !== PLAN) return
  const names = modes.choices.filter((value) => value !== PLAN)
  const build = BUILD_MODES.find((name) => names.includes(name)) ?? names[0]
  if (build !== undefined) await modes.set(build)
}

/** Modes by their own method, or as a config option: agents have one or the other. */
function modesOf(session: SettingsSession): { current: string; choices: string[]; set(value: string): Promise<void> } | undefined {
  const { modes, configOptions } = session.settings
  if (modes)
    return { current: modes.currentModeId, choices: modes.availableModes.map(({ id }) => id), set: (value) => session.setMode(value) }
  const option = configOptions?.find((one): one is SelectOption => one.type === 'select' && one.category === 'mode')
  if (!option) return undefined
  const choices = choicesOf(option).map(({ value }) => value)
  return { current: option.currentValue, choices, set: (value) => session.setOption(option.id, value) }
}

const modelOption = (options: AgentSettings['configOptions']): SelectOption | undefined =>
  options?.find((one): one is SelectOption => one.type === 'select' && one.category === 'model')

const choicesOf = ({ options }: SelectOption): Choice[] =>
  options.flatMap((one): Choice[] => ('options' in one ? one.options : [one]).map(({ value, name }) => ({ value, name })))
