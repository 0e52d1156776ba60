import { AppError, toAppError } from '@qmtcode/protocol'
import type { Clock } from '@qmtcode/protocol'
import type { Provider } from './providers/provider.ts'
import { isOnThisMachine } from './providers/this-machine.ts'

export interface ProviderOffersOptions {
  /** Default: 2 s. */
  timeoutMs?: number
  /** How long a list is believed. Default: 30 s; of a server on this machine 10 s; a failure 3 s. */
  maxAgeMs?: number
  localAgeMs?: number
  failureAgeMs?: number
}

/** What a provider's server said when it was last asked for its models. */
interface ProviderState {
  /** Those of the last answer, also while it does not answer. */
  models: string[]
  /** Why it does not serve now: it does not answer, or says that it is not ready. */
  down?: AppError
}

export interface ProviderOffers {
  /** Asked at most once at a time, and kept for a while. */
  stateOf(provider: Provider): Promise<ProviderState>
  /** A call failed: what is known of its server is not believed any longer. */
  doubt(provider: Provider): void
}

interface Listed {
  state: Promise<ProviderState>
  /** Monotonic; while the question is open, for ever. */
  until: number
}

export function createProviderOffers(clock: Clock, options: ProviderOffersOptions = {}): ProviderOffers {
  const { timeoutMs = 2_000, maxAgeMs = 30_000, localAgeMs = 10_000, failureAgeMs = 3_000 } = options
  const known = new Map<string, Listed>()
  const lastModels = new Map<string, string[]>()

  const ask = (provider: Provider): Listed => {
    const listed: Listed = { state: Promise.resolve({ models: [] }), until: Infinity }
    const keep = (state: ProviderState, ageMs: number): ProviderState => {
      listed.until = clock.monotonic() + ageMs
      return state
    }
    listed.state = provider.listModels({ signal: AbortSignal.timeout(timeoutMs) }).then(
      (models) => {
        lastModels.set(provider.name, models)
        return keep({ models }, provider.baseUrl !== undefined && isOnThisMachine(provider.baseUrl) ? localAgeMs : maxAgeMs)
      },
      (cause: unknown) => {
        const error = downError(provider, cause)
        return keep({ models: error ? (lastModels.get(provider.name) ?? []) : [], down: error }, failureAgeMs)
      },
    )
    return listed
  }
  return {
    async stateOf(provider) {
      let listed = known.get(provider.name)
      if (!listed || listed.until <= clock.monotonic()) {
        listed = ask(provider)
        known.set(provider.name, listed)
      }
      return await listed.state
    },
    doubt({ name }) {
      const listed = known.get(name)
      if (listed && listed.until !== Infinity) known.delete(name)
    },
  }
}

/** A server that refuses its list may serve all the same; one that does not answer, or fails at it, does not. */
function downError({ title, baseUrl = '' }: Provider, cause: unknown): AppError | undefined {
  const { details, message, code } = toAppError(cause)
  if (code === 'bad_config') return new AppError('bad_config', message, { cause })
  const status = details?.status
  if (status !== undefined && status < 500) return undefined
  if (code === 'provider_error' && status === undefined) return undefined // it answers with something else
  const why = status === undefined ? 'does not answer' : `is not ready (status ${status})`
  return new AppError('provider_error', `${title} at ${baseUrl} ${why}`, { cause, details: status === undefined ? undefined : { status } })
}
