import type { ModelCallOptions } from '@qmtcode/protocol'

type ProviderOptions = ModelCallOptions['providerOptions']
type OptionTable = Readonly<Record<string, readonly string[]>>

/**
 * What a peer may ask of a provider, for a whole call. Nothing here reaches other data of the account
 * (stored responses, containers, remote MCP servers), changes who pays more for the same answer, or adds tools.
 */
export const CALL_OPTIONS: OptionTable = {
  openai: ['reasoningEffort', 'reasoningSummary', 'textVerbosity', 'parallelToolCalls', 'strictJsonSchema'],
  anthropic: ['thinking', 'effort', 'cacheControl', 'sendReasoning', 'disableParallelToolUse'],
  google: ['thinkingConfig'],
  openaiCompatible: ['reasoningEffort', 'textVerbosity'],
}

/** For a message or a part of one: what a provider gave out and wants back, and cache marks. */
export const PART_OPTIONS: OptionTable = {
  openai: ['itemId', 'reasoningEncryptedContent', 'phase', 'imageDetail'],
  anthropic: ['cacheControl', 'signature', 'redactedData'],
  google: ['thoughtSignature'],
  openaiCompatible: ['model'],
}

/** Only what the table lists; undefined where nothing is left. */
export function listedOptions(options: unknown, table: OptionTable): ProviderOptions {
  if (typeof options !== 'object' || options === null) return undefined
  const kept: NonNullable<ProviderOptions> = {}
  for (const [provider, keys] of Object.entries(table)) {
    const given = (options as Record<string, unknown>)[provider]
    if (typeof given !== 'object' || given === null) continue
    const listed = Object.entries(given).filter(([key]) => keys.includes(key))
    if (listed.length > 0) kept[provider] = Object.fromEntries(listed)
  }
  return Object.keys(kept).length > 0 ? kept : undefined
}
