import { AppError } from '@qmtcode/protocol'
import { BUILTIN_PROVIDER, KNOWN_PROVIDERS } from './providers/known-providers.ts'
import type { Provider, Providers } from './providers/provider.ts'

export interface DefaultModel {
  /** `provider/model`. */
  model: string
  /** What decided it, for people: a variable, a table of the configuration, a server on this machine. */
  from: string
}

export interface DefaultModelComponents {
  providers: Providers
  /** Ids (`node:provider/model`) that usable peers offer, for the error. Default: none. */
  peerModels?: () => Promise<readonly string[]>
}

/**
 * The model of a node whose configuration names none: its configured providers in the file's order, then the keys in the environment,
 * then servers on this machine. Throws model_unavailable that lists the ways, and what peers offer; it never takes a peer's by itself.
 */
export async function discoverDefaultModel(components: DefaultModelComponents, options: { probeMs?: number } = {}): Promise<DefaultModel> {
  const { providers, peerModels } = components
  const probeMs = options.probeMs ?? 500
  const usable = providers.list().filter((provider) => provider.kind !== BUILTIN_PROVIDER && !provider.problem())
  for (const provider of usable) {
    const model = await modelOf(provider, probeMs)
    if (model !== undefined) return { model: `${provider.name}/${model}`, from: fromOf(provider) }
  }
  const probed = await Promise.all(providers.usual().map(async (provider) => await probe(provider, probeMs)))
  const found = probed.find((candidate) => candidate !== undefined)
  if (found) return found
  throw noModel((await peerModels?.()) ?? [])
}

async function probe(provider: Provider, probeMs: number): Promise<DefaultModel | undefined> {
  const model = await modelOf(provider, probeMs)
  return model === undefined ? undefined : { model: `${provider.name}/${model}`, from: fromOf(provider) }
}

async function modelOf(provider: Provider, probeMs: number): Promise<string | undefined> {
  const wanted = KNOWN_PROVIDERS[provider.kind === 'openai-compatible' ? provider.name : provider.kind]?.byDefault?.models ?? []
  const listed = await provider.listModels({ signal: AbortSignal.timeout(probeMs) }).catch((): string[] => [])
  // A server without a list may be no model server at all.
  if (listed.includes('*')) return provider.kind === 'openai-compatible' ? undefined : wanted[0]
  const chats = listed.filter((model) => !/embed|rerank|whisper|tts/i.test(model))
  for (const name of wanted) {
    const match = chats.find((model) => model.toLowerCase().startsWith(name))
    if (match !== undefined) return match
  }
  return chats[0]
}

function fromOf(provider: Provider): string {
  if (provider.kind !== 'openai-compatible') return provider.keySource ?? `[providers.${provider.name}]`
  if (provider.isConfigured) return `[providers.${provider.name}]`
  return `${provider.title} at ${provider.baseUrl ?? ''}`
}

const NAMED_PEER_MODELS = 10

function noModel(peerModels: readonly string[]): AppError {
  const keys = Object.values(KNOWN_PROVIDERS)
    .filter(({ byDefault }) => byDefault?.when === 'key')
    .map(({ keyEnv }) => keyEnv[0])
  const servers = Object.values(KNOWN_PROVIDERS).filter(({ byDefault }) => byDefault?.when === 'probe')
  const ways = [
    `set ${keys.join(', ')}`,
    `start one of ${servers.map(({ title }) => title).join(', ')} here`,
    'name a server by [providers.NAME] base_url',
    'or choose builtin/demo, which is no LLM (--model builtin/demo; in a chat, /model builtin/demo)',
  ]
  const peers =
    peerModels.length === 0
      ? ''
      : `. Usable peers offer: ${peerModels.slice(0, NAMED_PEER_MODELS).join(', ')}${peerModels.length > NAMED_PEER_MODELS ? ', …' : ''} (name one by --model)`
  return new AppError('model_unavailable', 'this node has no model', { hint: `${ways.join('; ')}${peers}` })
}
