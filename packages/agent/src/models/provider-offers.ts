import type { Clock } from '@qmtcode/protocol'
import type { Provider } from './providers/provider.ts'

export interface ProviderOffersOptions {
  /** Default: 2 s. */
  timeoutMs?: number
  /** How long a list is believed. Default: 30 s; a failure 5 s. */
  maxAgeMs?: number
  failureAgeMs?: number
}

interface Listed {
  models: Promise<string[]>
  /** Monotonic; while the question is open, for ever. */
  until: number
}

/** Model names of a provider, asked at most once at a time and kept for a while. None where its server does not answer. */
export function createProviderOffers(clock: Clock, options: ProviderOffersOptions = {}) {
  const { timeoutMs = 2_000, maxAgeMs = 30_000, failureAgeMs = 5_000 } = options
  const known = new Map<string, Listed>()

  const ask = (provider: Provider): Listed => {
    const listed: Listed = { models: Promise.resolve([]), until: Infinity }
    const keep = (models: string[], ageMs: number): string[] => {
      listed.until = clock.monotonic() + ageMs
      return models
    }
    listed.models = provider.listModels({ signal: AbortSignal.timeout(timeoutMs) }).then(
      (models) => keep(models, maxAgeMs),
      () => keep([], failureAgeMs),
    )
    return listed
  }
  return async (provider: Provider): Promise<string[]> => {
    let listed = known.get(provider.name)
    if (!listed || listed.until <= clock.monotonic()) {
      listed = ask(provider)
      known.set(provider.name, listed)
    }
    return await listed.models
  }
}
