import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { AppError, modelIdSchema, systemClock, toAppError } from '@qmtcode/protocol'
import type { Clock, Load, ModelOffer, ModelRequest, Models } from '@qmtcode/protocol'
import { callProvider } from './call-provider.ts'
import { guarded } from './guarded-stream.ts'
import type { GuardedSource, StreamTimeouts } from './guarded-stream.ts'
import { parseModelId } from './model-id.ts'
import { endedEarly, toProviderError } from './provider-errors.ts'
import type { CalledModel } from './provider-errors.ts'
import { createProviderOffers } from './provider-offers.ts'
import type { ProviderOffersOptions } from './provider-offers.ts'
import type { Provider, Providers } from './providers/provider.ts'
import { createRefusedFiles } from './request/refused-files.ts'
import { createSlots } from './slots.ts'

/** The models of this node's own providers. */
export interface LocalModels extends Models {
  /** Why `provider/model` cannot be called here, as far as it shows without calling: no such provider, no key. */
  problem(model: string): AppError | undefined
  /** Why `provider/model` cannot be served now, as its server tells when it is asked; undefined where it can, or where nobody can tell without calling. */
  unready(model: string): Promise<AppError | undefined>
  /**
   * Whether its provider is this node's own: by the file, by its key, or because its server lists the model. A name alone is none:
   * it stands for a port of this machine, where anything may listen.
   */
  isServed(model: string): Promise<boolean>
  load(): Load
}

export interface LocalModelsOptions extends StreamTimeouts {
  /** Calls this node runs at once, as it tells others. Default: 8. */
  slots?: number
  offers?: ProviderOffersOptions
}

export function createLocalModels(components: { providers: Providers; clock?: Clock }, options: LocalModelsOptions = {}): LocalModels {
  const { providers, clock = systemClock } = components
  const slots = createSlots(options.slots ?? 8)
  const servers = createProviderOffers(clock, options.offers)
  const refused = createRefusedFiles()

  const offersOf = async (provider: Provider): Promise<ModelOffer[]> => {
    const { models, down } = provider.problem() ? { models: [] } : await servers.stateOf(provider)
    return models
      .map((model) => ({ id: `${provider.name}/${model}`, model }))
      .filter(({ id }) => modelIdSchema.safeParse(id).success)
      .map(({ id, model }) => {
        const { contextTokens, slots: server = Infinity, busy = 0 } = provider.facts?.(model) ?? {}
        const load = { slots: Math.min(slots.load().slots, server), inFlight: Math.max(slots.inFlight(id), busy) }
        const told = { ...(contextTokens !== undefined && { contextTokens }), ...(down && { state: 'down' as const }) }
        return { id, provider: provider.name, model, ...load, ...told }
      })
  }

  function sourceOf(request: ModelRequest): GuardedSource {
    const called = (): CalledModel => ({ provider: providers.get(parseModelId(request.model).provider), model: request.model })
    let release: (() => void) | undefined
    return {
      model: request.model,
      hasLivePings: true,
      async open(signal): Promise<AsyncIterable<LanguageModelV4StreamPart>> {
        const { provider: name, model } = parseModelId(request.model)
        const provider = providers.get(name)
        const problem = provider.problem()
        if (problem) throw problem
        release = slots.take(request.model)
        return callProvider({ provider, id: request.model, model, options: { ...request.options, abortSignal: signal }, refused })
      },
      toError: (error) => {
        const found = error instanceof AppError ? error : toProviderError(error, called())
        if (tellsOfServer(found)) servers.doubt(providers.get(parseModelId(request.model).provider))
        return found
      },
      endedEarly: () => endedEarly(called()),
      close: () => release?.(),
    }
  }

  function problem(id: string): AppError | undefined {
    try {
      return providers.get(parseModelId(id).provider).problem()
    } catch (error) {
      return toAppError(error)
    }
  }

  return {
    async offers() {
      const usual = Promise.all(providers.usual().map(offersOf))
      const own = await Promise.all(providers.list().map(offersOf))
      // What lists no models may be any server.
      return [...own.flat(), ...(await usual).flat().filter(({ model }) => model !== '*')]
    },
    stream: (request, { signal } = {}) => guarded(sourceOf(request), { ...options, signal }),
    problem,
    async unready(id) {
      const own = problem(id)
      if (own) return own
      const { provider: name, model } = parseModelId(id)
      const provider = providers.get(name)
      const { models, down } = await servers.stateOf(provider)
      if (down || models.includes('*') || models.includes(model) || models.length === 0) return down
      return new AppError('model_unavailable', `${provider.title} does not list ${id}`)
    },
    async isServed(id) {
      const { provider: name, model } = parseModelId(id)
      if (providers.list().some((own) => own.name === name)) return true
      if (problem(id)) return false
      return (await servers.stateOf(providers.get(name))).models.includes(model)
    },
    load: slots.load,
  }
}

/** It may be down, or have another list by now. */
const tellsOfServer = ({ code, details }: AppError): boolean =>
  code === 'model_unavailable' || code === 'timeout' || (code === 'provider_error' && (details?.status ?? 500) >= 500)
