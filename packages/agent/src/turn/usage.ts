import type { LanguageModelV4Usage } from '@ai-sdk/provider'
import type { Usage } from '@qmtcode/protocol'

export const noUsage: Usage = { inputTokens: 0, outputTokens: 0 }

export function toUsage({ inputTokens, outputTokens }: LanguageModelV4Usage): Usage {
  return {
    inputTokens: inputTokens.total ?? 0,
    outputTokens: outputTokens.total ?? 0,
    cachedInputTokens: inputTokens.cacheRead,
    reasoningTokens: outputTokens.reasoning,
  }
}

export function addUsage(a: Usage, b: Usage | undefined): Usage {
  if (!b) return a
  const sum = (x: number | undefined, y: number | undefined): number | undefined =>
    x === undefined && y === undefined ? undefined : (x ?? 0) + (y ?? 0)
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedInputTokens: sum(a.cachedInputTokens, b.cachedInputTokens),
    reasoningTokens: sum(a.reasoningTokens, b.reasoningTokens),
    ...((b.context ?? a.context) && { context: b.context ?? a.context }),
  }
}
