import manifest from '../package.json' with { type: 'json' }

/** Of this qmtcode, as its package says. */
export const VERSION: string = manifest.version
