import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { ProviderKind } from './known-providers.ts'

export interface ProviderAccess {
  /** A maker whose own API it speaks. */
  kind: Exclude<ProviderKind, 'openai-compatible'>
  baseUrl: string
  apiKey: string | undefined
  fetch: typeof fetch
}

const OPENAI_HOST = 'api.openai.com'

/** Makes models of one provider; its package is loaded here and not before. */
export async function loadProvider(access: ProviderAccess): Promise<(model: string) => LanguageModelV4> {
  const { kind, baseUrl: baseURL, apiKey, fetch } = access
  switch (kind) {
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic')
      return createAnthropic({ baseURL, apiKey, fetch })
    }
    case 'openai': {
      const { createOpenAI } = await import('@ai-sdk/openai')
      const openai = createOpenAI({ baseURL, apiKey, fetch })
      // Servers that stand in for OpenAI speak chat completions; few speak its newer responses format.
      return new URL(baseURL).hostname === OPENAI_HOST ? openai.responses : openai.chat
    }
    case 'google': {
      const { createGoogle } = await import('@ai-sdk/google')
      return createGoogle({ baseURL, apiKey, fetch })
    }
  }
}
