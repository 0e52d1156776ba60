import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { toProviderError } from './provider-errors.ts'
import type { Provider } from './providers/provider.ts'
import type { RefusedFiles } from './request/refused-files.ts'
import { soundPrompt } from './request/sound-prompt.ts'
import { takerOf } from './request/takers.ts'

type Part = LanguageModelV4StreamPart

export interface ProviderCall {
  provider: Provider
  /** `provider/model`. */
  id: string
  /** As the provider knows it. */
  model: string
  options: LanguageModelV4CallOptions
  refused: RefusedFiles
}

/**
 * One model call, made of a conversation that is sound for this provider: the last gate before the wire, for sessions here and of peers alike.
 * Where a model refuses a file of an earlier message, the call is made once more without it.
 */
export async function* callProvider(call: ProviderCall): AsyncGenerator<Part> {
  const prompt = call.refused.omit(call.id, call.options.prompt)
  let isBegun = false
  try {
    for await (const part of await open(call, prompt)) {
      if (part.type === 'error' && !isBegun) throw part.error
      isBegun ||= part.type !== 'ping' && part.type !== 'stream-start' && part.type !== 'response-metadata'
      yield part
    }
    return
  } catch (cause) {
    if (isBegun || call.options.abortSignal?.aborted) throw cause
    const error = toProviderError(cause, { provider: call.provider, model: call.id })
    const learnt = call.refused.learn(call.id, prompt, error)
    if (learnt !== 'retry') throw learnt ?? cause
  }
  yield* await open(call, call.refused.omit(call.id, prompt))
}

async function open(
  { provider, id, model, options }: ProviderCall,
  prompt: LanguageModelV4CallOptions['prompt'],
): Promise<AsyncIterable<Part>> {
  return await provider.open(model, { ...options, prompt: soundPrompt(prompt, takerOf(provider, id)) })
}
