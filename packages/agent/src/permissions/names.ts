/** The keys of `[permissions]`, and the words of `--allow`. */
export const PERMISSION_NAMES = ['read', 'edit', 'shell', 'web', 'mcp', 'outside'] as const
export type PermissionName = (typeof PERMISSION_NAMES)[number]

export const PERMISSION_ACTIONS = ['allow', 'ask', 'deny'] as const
export type PermissionAction = (typeof PERMISSION_ACTIONS)[number]

/** What holds where nothing is written. */
export const PERMISSION_DEFAULTS: Readonly<Record<PermissionName, PermissionAction>> = {
  read: 'allow',
  edit: 'ask',
  shell: 'ask',
  web: 'ask',
  mcp: 'ask',
  outside: 'ask',
}
