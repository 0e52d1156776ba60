import type { PROVIDER_KINDS } from './schema/node.ts'

export type ProviderKind = (typeof PROVIDER_KINDS)[number]

/** Providers that need no `base_url`: their servers are known, the last five on localhost. */
const KNOWN: Record<string, ProviderKind> = {
  anthropic: 'anthropic',
  openai: 'openai',
  google: 'google',
  ollama: 'openai-compatible',
  'llama-server': 'openai-compatible',
  vllm: 'openai-compatible',
  lmstudio: 'openai-compatible',
}

/** In the product, so that anyone can try it without a key. It has no table. */
export const BUILTIN_PROVIDER = 'builtin'

export const KNOWN_PROVIDERS = Object.keys(KNOWN)
export const kindOfProvider = (name: string): ProviderKind => KNOWN[name] ?? 'openai-compatible'
