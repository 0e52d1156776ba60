import { AppError, nearest } from '@qmtcode/protocol'
import { isOnThisMachine } from './this-machine.ts'
import type { Provider, Providers } from './provider.ts'
import { createDemoProvider } from '../demo/demo-provider.ts'
import { BUILTIN_PROVIDER, KNOWN_PROVIDERS, knownProvider } from './known-providers.ts'
import type { KnownProvider, ProviderKind } from './known-providers.ts'
import { createRemoteProvider } from './remote-provider.ts'

/** `[providers.NAME]`. */
export interface ProviderConfig {
  /** Default: from the name; a name that is not known, with a base URL, is openai-compatible. */
  kind?: ProviderKind
  baseUrl?: string
  apiKey?: string
  /** Of an answer, at most. */
  maxOutputTokens?: number
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Throws bad_config for a provider that cannot be meant: an unknown name without an address, no URL. */
export function createProviders(config: Readonly<Record<string, ProviderConfig>>, env: Environment = {}): Providers {
  const made = new Map<string, Provider>()
  for (const [name, settings] of Object.entries(config)) made.set(name, configured(name, settings, env))
  for (const [name, known] of Object.entries(KNOWN_PROVIDERS)) {
    if (!made.has(name) && known.keyEnv.some((variable) => env[variable])) made.set(name, configured(name, {}, env))
  }
  made.set(BUILTIN_PROVIDER, createDemoProvider())
  const listed = [...made.values()]

  const get = (name: string): Provider => {
    const found = made.get(name)
    if (found) return found
    const known = knownProvider(name)
    if (!known) throw unknownProvider(name, made.keys())
    const provider = createRemoteProvider({ name, known, kind: known.kind, baseUrl: baseUrlOf(name, known, {}, env), isConfigured: false })
    made.set(name, provider)
    return provider
  }
  const taken = new Set(listed.flatMap(({ baseUrl }) => (baseUrl === undefined ? [] : [placeOf(baseUrl)])))
  const names = Object.entries(KNOWN_PROVIDERS).flatMap(([name, { byDefault }]) => (byDefault?.when === 'probe' ? [name] : []))
  return {
    list: () => listed,
    get,
    usual: () =>
      names
        .filter((name) => !listed.some((own) => own.name === name) && !isMisread(name, env))
        .map(get)
        .filter(({ baseUrl = '' }) => !taken.has(placeOf(baseUrl))),
  }
}

/** Host and port, the same for each name of this machine. */
function placeOf(baseUrl: string): string {
  const { protocol, hostname, port } = new URL(baseUrl)
  const host = isOnThisMachine(baseUrl) ? 'here' : hostname
  return `${host}:${port || (protocol === 'https:' ? '443' : '80')}`
}

/** A variable that holds no address is told when its server is named. */
function isMisread(name: string, env: Environment): boolean {
  try {
    baseUrlOf(name, knownProvider(name), {}, env)
    return false
  } catch {
    return true
  }
}

function configured(name: string, settings: ProviderConfig, env: Environment): Provider {
  const known = knownProvider(name, settings.kind)
  const kind = settings.kind ?? known?.kind ?? 'openai-compatible'
  const baseUrl = baseUrlOf(name, known, settings, env)
  const variable = known?.keyEnv.find((candidate) => env[candidate])
  const key = settings.apiKey
    ? { apiKey: settings.apiKey, keySource: `[providers.${name}] api_key` }
    : { apiKey: variable === undefined ? undefined : env[variable], keySource: variable }
  return createRemoteProvider({ name, known, kind, baseUrl, isConfigured: true, maxOutputTokens: settings.maxOutputTokens, ...key })
}

/** A question to stand before the hint, or nothing. */
function meant(written: string, candidates: readonly string[]): string {
  const near = nearest(written, candidates)
  return near === undefined ? '' : `did you mean ${near}? `
}

function baseUrlOf(name: string, known: KnownProvider | undefined, settings: ProviderConfig, env: Environment): string {
  const variable = known?.baseUrlEnv ?? known?.hostEnv
  const set = variable === undefined ? undefined : env[variable]
  const fromEnv = set && known?.hostEnv !== undefined ? serverUrl(set, known.baseUrl) : set
  const written = settings.baseUrl ?? (fromEnv || known?.baseUrl)
  const where = settings.baseUrl === undefined && fromEnv ? String(variable) : `[providers.${name}] base_url`
  if (written === undefined)
    throw new AppError('bad_config', `[providers.${name}] is no provider that qmtcode knows, and has no base_url`, {
      hint: `${meant(name, Object.keys(KNOWN_PROVIDERS))}set base_url to use any OpenAI-compatible server`,
    })
  if (!URL.canParse(written)) throw new AppError('bad_config', `${where} is not a URL: "${written}"`)
  const url = new URL(written)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new AppError('bad_config', `${where} must be http or https, not ${url.protocol}`)
  if (url.username || url.password) {
    throw new AppError('bad_config', `${where} holds a user or password`, { hint: `put the key into [providers.${name}] api_key` })
  }
  // Other tools read these variables without the version.
  if (where === variable && url.pathname === '/') url.pathname = '/v1'
  return url.href.replace(/\/+$/, '')
}

/** `OLLAMA_HOST` as Ollama reads it: a server that listens on all interfaces is called on this machine. */
function serverUrl(host: string, baseUrl: string | undefined): string {
  const text = host.trim().replace(/^["']|["']$/g, '')
  const hasScheme = /^https?:\/\//.test(text)
  if (!URL.canParse(hasScheme ? text : `http://${text}`)) return text
  const url = new URL(hasScheme ? text : `http://${text.startsWith(':') ? `127.0.0.1${text}` : text}`)
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1'
  if (!hasScheme && url.port === '' && baseUrl !== undefined) url.port = new URL(baseUrl).port
  return url.href
}

function unknownProvider(name: string, known: Iterable<string>): AppError {
  const names = Array.from(new Set([...known, ...Object.keys(KNOWN_PROVIDERS)]))
  return new AppError('model_unavailable', `no provider "${name}" here`, {
    hint: meant(name, names).trim() || `known: ${names.join(', ')}; others need [providers.${name}] base_url`,
  })
}
