import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { AppError } from '@qmtcode/protocol'
import type { ServerFacts } from './server-facts.ts'
import type { BUILTIN_PROVIDER, ProviderKind } from './known-providers.ts'

/** One place that models can be called at. It never shows its key. */
export interface Provider {
  readonly name: string
  /** For people: `Anthropic`, `Ollama`. */
  readonly title: string
  readonly kind: ProviderKind | typeof BUILTIN_PROVIDER
  /** Where calls go; absent for what runs in this process. */
  readonly baseUrl: string | undefined
  /** Where the key comes from, in words; absent without one. */
  readonly keySource: string | undefined
  /** By the configuration or by its key in the environment; false: merely known by name. */
  readonly isConfigured: boolean
  /** Why it cannot be called as things stand. */
  problem(): AppError | undefined
  /**
   * Calls a model. A `ping` part says that its server is alive. May throw, or put into an `error` part, whatever its package or socket does:
   * `toProviderError` reads it. The provider's package is loaded at the first call.
   */
  open(model: string, options: LanguageModelV4CallOptions): Promise<AsyncIterable<LanguageModelV4StreamPart>>
  /** Model names; `*` where any name goes. Throws AppError when its server does not tell. */
  listModels(options: { signal: AbortSignal }): Promise<string[]>
  /** What its server told of a model, beside its name, when it was last asked for its list. */
  facts?(model: string): ServerFacts
  /** Text without this provider's key, or anything else that looks like one. */
  redact(text: string): string
}

/** The providers of this node. */
export interface Providers {
  /** The configured ones in the file's order, then those with a key in the environment, then what is built in. */
  list(): readonly Provider[]
  /** Servers that may run on this machine at their usual addresses, without the addresses that `list` has. Whether one runs, only asking tells. */
  usual(): readonly Provider[]
  /** Also one that is merely known by name. Throws model_unavailable with the nearest names. */
  get(name: string): Provider
}
