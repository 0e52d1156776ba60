/** The words that a configuration may use, read without the libraries of what they name. */
export { SANDBOX_MODES } from './sandbox/types.ts'
export { BUILTIN_PROVIDER, KNOWN_PROVIDERS, PROVIDER_KINDS, knownProvider } from './models/providers/known-providers.ts'
export { PERMISSION_ACTIONS, PERMISSION_DEFAULTS, PERMISSION_NAMES } from './permissions/names.ts'
export { TOOL_VARIABLE } from './tools/environment.ts'
export { BUILT_IN_TOOLS, MESH_TOOLS } from './tools/names.ts'
