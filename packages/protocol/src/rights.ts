import { z } from 'zod'

/** What a node may be given on one session of another. Its creator and its host have all. */
export const RIGHTS = ['observe', 'prompt', 'approve', 'control'] as const
export const rightSchema = z.enum(RIGHTS)
export type Right = z.infer<typeof rightSchema>

/** Each includes the ones before it, but `approve`: who answers questions need not be one who asks for work. */
const INCLUDES: Record<Right, readonly Right[]> = {
  observe: ['observe'],
  prompt: ['observe', 'prompt'],
  approve: ['observe', 'approve'],
  control: RIGHTS,
}

/** Everything that `rights` come to, in the order of RIGHTS. */
export function expandRights(rights: readonly Right[]): Right[] {
  const all = new Set(rights.flatMap((right) => INCLUDES[right]))
  return RIGHTS.filter((right) => all.has(right))
}
