import { AppError, silentLogger, toAppError } from '@qmtcode/protocol'
import type { Logger, ModelOffer, ModelPart, ModelRequest, Models } from '@qmtcode/protocol'
import type { LocalModels } from '../local-models.ts'
import { redact } from '../redact.ts'
import { admittedOptions } from './call-options.ts'
import { withPings } from './pings.ts'
import { isShared, sharedOffers } from './shared-offers.ts'

export interface HostModelsComponents {
  /** This node's own. */
  models: Models & Partial<Pick<LocalModels, 'isServed'>>
  /** Told of calls that failed here: the caller hears only what a stranger may. */
  log?: Logger
}

export interface HostModelsOptions {
  /** This node and the authenticated caller, as peer ids. */
  self: string
  caller: string
  /** Whether a node that the call has passed, as its origin says, could call by itself. Default: any could. */
  mayCall?(peerId: string): Promise<boolean>
  /** Patterns over `provider/model`, `*` for any text. Default: `['*']`. */
  share?: readonly string[]
  /** Silence of the model before the first ping part, and between further ones. Default: 250 ms, 10 s. */
  firstPingMs?: number
  pingMs?: number
}

const MAX_ORIGINS = 4
const NAMED_OFFERS = 10

/** This node's models for one peer: what is shared, called as the host allows, with errors that tell nothing of the host. */
export function createHostModels(components: HostModelsComponents, options: HostModelsOptions): Models {
  const { models, log = silentLogger } = components
  const { share = ['*'], firstPingMs = 250, pingMs = 10_000 } = options
  const offers = async (): Promise<ModelOffer[]> => {
    try {
      return sharedOffers(await models.offers(), share)
    } catch (error) {
      throw forPeer(error)
    }
  }
  const isOffered = async (model: string): Promise<boolean> => isShared(model, share) && (await models.isServed?.(model)) !== false

  async function* stream(request: ModelRequest, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<ModelPart> {
    // A caller that leaves while the model is silent: nothing but the signal reaches a pending read.
    const ended = new AbortController()
    const onAbort = (): void => ended.abort(signal?.reason)
    let isRead = false
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await checkOrigin(request.origin ?? [], options)
      if (!(await isOffered(request.model))) throw await notShared(request.model, offers)
      const { model, sessionId } = request
      const call = { model, sessionId, options: admittedOptions(request.options) }
      yield* withPings(models.stream(call, { signal: ended.signal }), { firstMs: firstPingMs, everyMs: pingMs })
      isRead = true
    } catch (error) {
      note(log, error, { caller: options.caller, model: request.model })
      throw forPeer(error)
    } finally {
      signal?.removeEventListener('abort', onAbort)
      if (!isRead) ended.abort()
    }
  }
  return { offers, stream }
}

/** The caller is the last of its own chain, whether it says so or not. */
async function checkOrigin(origin: readonly string[], { self, caller, mayCall }: HostModelsOptions): Promise<void> {
  const chain = origin.at(-1) === caller ? origin : [...origin, caller]
  if (chain.length > MAX_ORIGINS) throw new AppError('forbidden', `this call has passed ${chain.length} nodes; ${MAX_ORIGINS} is the most`)
  if (chain.includes(self) || new Set(chain).size < chain.length) throw new AppError('forbidden', 'this call has gone in a circle')
  for (const passed of chain) {
    if (passed !== caller && (await mayCall?.(passed)) === false)
      throw new AppError('forbidden', `this call comes from ${passed}, which may not call here`)
  }
}

async function notShared(model: string, offers: () => Promise<ModelOffer[]>): Promise<AppError> {
  const ids = (await offers()).map(({ id }) => id)
  const named = ids.length === 0 ? 'nothing' : `${ids.slice(0, NAMED_OFFERS).join(', ')}${ids.length > NAMED_OFFERS ? ', …' : ''}`
  return new AppError('model_unavailable', `${model} is not shared here; shared: ${named}`)
}

/** What failed here, for this node's person, who can act on it. A caller's own mistake is not, however often it is made. */
function note(log: Logger, error: unknown, call: { caller: string; model: string }): void {
  const { code, message, hint, details } = toAppError(error)
  const isOurs = code === 'provider_error' || code === 'rate_limited' || code === 'timeout' || code === 'internal'
  if (isOurs) log.warn('a model call of a peer failed', { ...call, code, message, hint, details })
}

/** Hints are for this node's own person, addresses for nobody else. */
function forPeer(error: unknown): AppError {
  const { code, message, details } = toAppError(error)
  const shown =
    code === 'internal' ? 'the call failed on the host' : redact(message.replace(/\bhttps?:\/\/[^\s"',;)]*[^\s"',;):.]/gi, '[address]'))
  return new AppError(code, shown, { details, cause: error })
}
