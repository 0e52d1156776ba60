export const PROVIDER_KINDS = ['anthropic', 'openai', 'google', 'openai-compatible', 'builtin'] as const
export type ProviderKind = (typeof PROVIDER_KINDS)[number]

/** What is known of a provider by its name alone. */
export interface KnownProvider {
  title: string
  kind: ProviderKind
  baseUrl?: string
  /** Environment variables that may hold the key, in order. Only for hosted providers: a key is never sent to a server that did not ask for it. */
  keyEnv: readonly string[]
  baseUrlEnv?: string
  /**
   * Place and model in the search for a default. `key`: when its key is there. `probe`: when a server answers at its address;
   * then the first of `models` that it has, else the first it lists.
   */
  byDefault?: { when: 'key' | 'probe'; models: readonly string[] }
}

const LOCAL_MODELS = ['qwen3-coder', 'gpt-oss', 'qwen3', 'devstral', 'llama3']

/** In the order in which a default model is looked for. */
export const KNOWN_PROVIDERS: Readonly<Record<string, KnownProvider>> = {
  anthropic: {
    title: 'Anthropic',
    kind: 'anthropic',
    baseUrl: 'https://api.anthropic.com/v1',
    keyEnv: ['ANTHROPIC_API_KEY'],
    baseUrlEnv: 'ANTHROPIC_BASE_URL',
    byDefault: { when: 'key', models: ['claude-sonnet-5-5'] },
  },
  openai: {
    title: 'OpenAI',
    kind: 'openai',
    baseUrl: 'https://api.openai.com/v1',
    keyEnv: ['OPENAI_API_KEY'],
    baseUrlEnv: 'OPENAI_BASE_URL',
    byDefault: { when: 'key', models: ['gpt-5.6'] },
  },
  google: {
    title: 'Google',
    kind: 'google',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    keyEnv: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'],
    byDefault: { when: 'key', models: ['gemini-pro-latest'] },
  },
  ollama: {
    title: 'Ollama',
    kind: 'openai-compatible',
    baseUrl: 'http://127.0.0.1:11434/v1',
    keyEnv: [],
    byDefault: { when: 'probe', models: LOCAL_MODELS },
  },
  'llama-server': {
    title: 'llama-server',
    kind: 'openai-compatible',
    baseUrl: 'http://127.0.0.1:8080/v1',
    keyEnv: [],
    byDefault: { when: 'probe', models: LOCAL_MODELS },
  },
  vllm: { title: 'vLLM', kind: 'openai-compatible', baseUrl: 'http://127.0.0.1:8000/v1', keyEnv: [] },
  lmstudio: { title: 'LM Studio', kind: 'openai-compatible', baseUrl: 'http://127.0.0.1:1234/v1', keyEnv: [] },
  builtin: { title: 'built in', kind: 'builtin', keyEnv: [] },
}

/** A kind as a name (`[providers.x] kind = "google"`) brings that provider's address and variables. */
export function knownByKind(kind: ProviderKind): KnownProvider | undefined {
  return Object.values(KNOWN_PROVIDERS).find((known) => known.kind === kind && kind !== 'openai-compatible')
}
