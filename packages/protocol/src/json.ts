import { z } from 'zod'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined }

export const jsonSchema: z.ZodType<Json> = z.json()

/** Whether `value` nests deeper than `limit`; iterative, so that hostile nesting cannot exhaust the stack. */
export function exceedsDepth(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limit) return true
    const next: unknown[] = []
    for (const item of level) {
      if (typeof item !== 'object' || item === null || item instanceof Uint8Array) continue
      for (const child of Object.values(item)) if (typeof child === 'object' && child !== null) next.push(child)
    }
    level = next
  }
  return false
}
