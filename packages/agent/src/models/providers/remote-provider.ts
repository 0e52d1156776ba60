import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { AppError } from '@qmtcode/protocol'
import { redact } from '../redact.ts'
import type { KnownProvider, ProviderKind } from './known-providers.ts'
import { asker, listServerModels } from './list-models.ts'
import { loadProvider } from './load-model.ts'
import { keepLatest } from './keep-latest.ts'
import { createProviderFetch } from './provider-fetch.ts'
import type { Provider } from './provider.ts'
import { serverFacts } from './server-facts.ts'
import { createSignsOfLife } from './signs-of-life.ts'
import type { ServerFacts } from './server-facts.ts'

export interface RemoteProviderInit {
  name: string
  known: KnownProvider | undefined
  kind: ProviderKind
  baseUrl: string
  apiKey?: string
  keySource?: string
  isConfigured: boolean
  /** Of an answer, where a call does not say it. Default: the server's, and where a server has none, one that fits an agent. */
  maxOutputTokens?: number
}

/** Peers choose names of models: what is kept for them is bounded. */
const MAX_KEPT_MODELS = 64

/** A provider behind HTTP. The key stays in this closure. */
export function createRemoteProvider(init: RemoteProviderInit): Provider {
  const { name, known, kind, baseUrl, apiKey, keySource, isConfigured, maxOutputTokens } = init
  const providerFetch = createProviderFetch({ name, baseUrl })
  const life = createSignsOfLife()
  const kept = new Map<string, ServerFacts>()
  let facts: ReadonlyMap<string, ServerFacts> = new Map()
  let loading: Promise<(model: string) => LanguageModelV4> | undefined

  return {
    name,
    title: known?.title ?? name,
    kind,
    baseUrl,
    keySource,
    isConfigured,
    problem: () => (apiKey === undefined && needsKey(kind) ? missingKey(name, known) : undefined),
    async open(model, options) {
      if (kind === 'openai-compatible')
        return (await import('../chat-completions/stream.ts')).streamChat(
          { name, baseUrl, apiKey },
          model,
          callOf(kind, options, { model, maxOutputTokens }),
        )
      loading ??= loadProvider({ kind, baseUrl, apiKey, fetch: life.listening(providerFetch) }).then((make) =>
        keepLatest(make, MAX_KEPT_MODELS),
      )
      const languageModel = (await loading)(model)
      const abortSignal = options.abortSignal ?? new AbortController().signal
      const call = callOf(kind, { ...options, abortSignal }, { model, maxOutputTokens })
      return life.watched(abortSignal, async () => (await languageModel.doStream(call)).stream)
    },
    async listModels({ signal }) {
      if (kind !== 'openai-compatible') return ['*']
      const options = { signal, fetch: providerFetch }
      const listed = await listServerModels({ name, baseUrl, apiKey }, options)
      facts = await serverFacts({ name, listed, ask: asker({ baseUrl, apiKey }, options), kept })
      return listed.map((model) => model.name)
    },
    facts: (model) => facts.get(model) ?? {},
    redact: (text) => redact(text, apiKey === undefined ? [] : [apiKey]),
  }
}

const needsKey = (kind: ProviderKind): boolean => kind !== 'openai-compatible'

function missingKey(name: string, known: KnownProvider | undefined): AppError {
  const variables = known?.keyEnv.join(' or ') ?? ''
  return new AppError('model_unavailable', `${known?.title ?? name} has no key here`, {
    hint: `set ${variables}, or [providers.${name}] api_key`,
  })
}

/** Anthropic's format has no answer without a bound; its package takes 4,096 for a name that it does not know, which cuts a written file. */
const UNKNOWN_MODEL_TOKENS = 32_000

function callOf(
  kind: ProviderKind,
  options: LanguageModelV4CallOptions,
  { model, maxOutputTokens }: { model: string; maxOutputTokens: number | undefined },
): LanguageModelV4CallOptions {
  const isUnknown = kind === 'anthropic' && !model.includes('claude-')
  const bound = options.maxOutputTokens ?? maxOutputTokens ?? (isUnknown ? UNKNOWN_MODEL_TOKENS : undefined)
  const bounded = { ...options, maxOutputTokens: bound }
  return kind === 'openai' ? withoutStore(bounded) : bounded
}

/** What OpenAI stores is referred to by id, which another account, or another node's, does not know. */
function withoutStore(options: LanguageModelV4CallOptions): LanguageModelV4CallOptions {
  return { ...options, providerOptions: { ...options.providerOptions, openai: { store: false, ...options.providerOptions?.['openai'] } } }
}
