import type { PermissionAction } from './names.ts'
import type { PermissionOptions } from './types.ts'

/** What a peer may allow by itself, in the workspace that it was given. */
export const GUEST_ALLOWS: readonly string[] = ['edit']

/** `[permissions]` for turns on behalf of peers: what allows by itself becomes a question, what asks or denies stays. */
export function guestOptions(options: PermissionOptions): PermissionOptions {
  return {
    ...options,
    shell: atLeastAsk(options.shell),
    web: atLeastAsk(options.web),
    mcp: atLeastAsk(options.mcp),
    outside: atLeastAsk(options.outside),
    rules: options.rules?.filter(({ action }) => action !== 'allow'),
  }
}

export const guestAllow = (allow: readonly string[]): string[] => allow.filter((word) => GUEST_ALLOWS.includes(word))

/** More than a peer may allow. */
export const isReserved = (needs: readonly string[]): boolean => needs.some((need) => !GUEST_ALLOWS.includes(need))

const atLeastAsk = (action: PermissionAction | undefined): PermissionAction | undefined => (action === 'allow' ? 'ask' : action)
