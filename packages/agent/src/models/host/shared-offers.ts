import type { ModelOffer } from '@qmtcode/protocol'
import { matchesPattern, parseModelId } from '../model-id.ts'

/** Some providers take a model's name into the path of a URL, where `a/../b` is `b`: for such names no pattern can speak. */
const MISREAD_IN_URLS = /[\s%?#\\\p{C}]|(?:^|\/)\.{1,2}(?:\/|$)/u

export const isShared = (model: string, share: readonly string[]): boolean =>
  !MISREAD_IN_URLS.test(model) && share.some((pattern) => matchesPattern(pattern, model))

/** The offers that `share` lets peers see. Of a provider that takes any name, what the patterns name of it. */
export function sharedOffers(offers: readonly ModelOffer[], share: readonly string[]): ModelOffer[] {
  const shared = offers.flatMap((offer) => {
    if (isShared(offer.id, share)) return [offer]
    if (offer.model !== '*') return []
    const named = share.filter((pattern) => pattern.startsWith(`${offer.provider}/`))
    return named.map((pattern) => ({ ...offer, id: pattern, model: parseModelId(pattern).model }))
  })
  // Rebuilt field by field: an offer travels, and only these fields may.
  return shared.map(({ id, provider, model, slots, inFlight, contextTokens, state }) => {
    const told = { ...(contextTokens !== undefined && { contextTokens }), ...(state !== undefined && { state }) }
    return { id, provider, model, slots, inFlight, ...told }
  })
}
