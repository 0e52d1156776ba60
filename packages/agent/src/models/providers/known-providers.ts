/** What a server speaks. */
export const PROVIDER_KINDS = ['anthropic', 'openai', 'google', 'openai-compatible'] as const
export type ProviderKind = (typeof PROVIDER_KINDS)[number]

/** What is known of a provider by its name alone. */
export interface KnownProvider {
  title: string
  kind: ProviderKind
  baseUrl?: string
  /** Environment variables that may hold the key, in order. Only for hosted providers: a key is never sent to a server that did not ask for it. */
  keyEnv: readonly string[]
  baseUrlEnv?: string
  /** A variable that holds the address as the server's own tools read it: `host`, `host:port` or a URL, the port as in `baseUrl` where it is left out. */
  hostEnv?: string
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
    hostEnv: 'OLLAMA_HOST',
    byDefault: { when: 'probe', models: LOCAL_MODELS },
  },
  'llama-server': {
    title: 'llama-server',
    kind: 'openai-compatible',
    baseUrl: 'http://127.0.0.1:8080/v1',
    keyEnv: [],
    byDefault: { when: 'probe', models: LOCAL_MODELS },
  },
  vllm: {
    title: 'vLLM',
    kind: 'openai-compatible',
    baseUrl: 'http://127.0.0.1:8000/v1',
    keyEnv: [],
    byDefault: { when: 'probe', models: LOCAL_MODELS },
  },
  lmstudio: {
    title: 'LM Studio',
    kind: 'openai-compatible',
    baseUrl: 'http://127.0.0.1:1234/v1',
    keyEnv: [],
    byDefault: { when: 'probe', models: LOCAL_MODELS },
  },
}

/** In the product, so that anyone can try it without a key. It has no server, and no settings. */
export const BUILTIN_PROVIDER = 'builtin'

/**
 * What the name tells of a provider, or else its kind: `[providers.x] kind = "google"` brings Google's address and variables.
 * Undefined: only its base URL says where it is.
 */
export function knownProvider(name: string, kind?: ProviderKind): KnownProvider | undefined {
  const byName = Object.hasOwn(KNOWN_PROVIDERS, name) ? KNOWN_PROVIDERS[name] : undefined
  if (kind === undefined || byName?.kind === kind) return byName
  return kind === 'openai-compatible' ? undefined : KNOWN_PROVIDERS[kind]
}
