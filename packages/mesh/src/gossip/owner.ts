import type { PeerId } from '@qmtcode/protocol'

/** Whose an entry's key is: what precedes its first `/`. */
export const ownerOf = (key: string): PeerId => (key.split('/', 1)[0] ?? '') as PeerId
