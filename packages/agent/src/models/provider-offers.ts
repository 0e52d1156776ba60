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
  models: string[]
  until: number
}

/** Model names of a provider, asked at most once at a time and kept for a while. None where its server does not answer. */
export function createProviderOffers(clock: Clock, options: ProviderOffersOptions = {}) {
  const { timeoutMs = 2_000, maxAgeMs = 30_000, failureAgeMs = 5_000 } = options
  const known = new Map<string, Promise<Listed>>()

  const ask = async (provider: Provider): Promise<Listed> => {
    try {
      const models = await provider.listModels({ signal: AbortSignal.timeout(timeoutMs) })
      return { models, until: clock.monotonic() + maxAgeMs }
    } catch {
      return { models: [], until: clock.monotonic() + failureAgeMs }
    }
  }
  return async (provider: Provider): Promise<string[]> => {
    const kept = await known.get(provider.name)
    if (kept && kept.until > clock.monotonic()) return kept.models
    const asked = ask(provider)
    known.set(provider.name, asked)
    return (await asked).models
  }
}
