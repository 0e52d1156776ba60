import type { Load } from '@qmtcode/protocol'

/** Counts calls under way, in all and for each model. */
export interface Slots {
  /** Returns what ends the count of this call; safe to call twice. */
  take(model: string): () => void
  inFlight(model: string): number
  load(): Load
}

export function createSlots(slots: number): Slots {
  const counts = new Map<string, number>()
  let total = 0
  return {
    take(model) {
      total += 1
      counts.set(model, (counts.get(model) ?? 0) + 1)
      let taken = true
      return () => {
        if (!taken) return
        taken = false
        total -= 1
        const left = (counts.get(model) ?? 1) - 1
        if (left > 0) counts.set(model, left)
        else counts.delete(model)
      }
    },
    inFlight: (model) => counts.get(model) ?? 0,
    load: () => ({ inFlight: total, slots, queued: 0 }),
  }
}
