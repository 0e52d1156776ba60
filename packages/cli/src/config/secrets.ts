import type { KeyPath } from './paths.ts'

const SECRET_KEYS = ['api_key', 'invite', 'base_url', 'url', 'env', 'headers', 'tls_key']

/** Whether a value, or what is in it, is never printed. URLs count: they may hold a password. */
export const isSecret = (path: KeyPath): boolean => path.some((key) => typeof key === 'string' && SECRET_KEYS.includes(key))
