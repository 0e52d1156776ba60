import type { Provider } from '../providers/provider.ts'
import type { PromptTaker } from './sound-prompt.ts'

/** Their chat templates and their API refuse ids of any other length. */
const NINE_CHARACTER_IDS = /mistral|ministral|devstral|codestral|magistral|pixtral/i

/** What a model takes of a conversation that other models may have had a part in. `id` is `provider/model`. */
export function takerOf(provider: Pick<Provider, 'kind'>, id: string): PromptTaker {
  return {
    takesThought: (metadata) => takesThought(provider.kind, id, metadata),
    callIds: NINE_CHARACTER_IDS.test(id) ? 'nine' : 'any',
  }
}

/** Thoughts go back to where they came from, since some makers ask for them, and nowhere else: their marks are those of their provider. */
function takesThought(kind: Provider['kind'], id: string, metadata: unknown): boolean {
  if (typeof metadata !== 'object' || metadata === null) return false
  if (kind !== 'openai-compatible') return kind in metadata
  const own = (metadata as Record<string, unknown>)['openaiCompatible']
  return typeof own === 'object' && own !== null && (own as Record<string, unknown>)['model'] === id
}
