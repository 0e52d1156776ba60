import type { Confinement } from './types.ts'

/** What holds commands, for the person who is asked and for the model that writes them. */
export function describeConfinement(confinement: Confinement | undefined): string {
  if (confinement?.kind !== 'sandbox') {
    const because = confinement === undefined ? '' : `, because ${confinement.why}`
    return `no sandbox here: the command has all rights of the user who runs qmtcode${because}`
  }
  const network = confinement.network ? 'with the network' : 'without a network'
  return `runs in a sandbox: writes in the workspace only, sees no home and nothing of qmtcode, ${network}`
}
