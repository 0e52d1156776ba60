export { createLab, PUBLIC_SUBNET } from './lab.ts'
export { labSkip } from './lab-skip.ts'
export type { BlockRule, Cable, CableFaults, Host, HostOptions, Lab, Lan, LanOptions, NatKind, NatOptions } from './types.ts'
