import { roleIncludes } from '@qmtcode/protocol'
import type { PeerDiagnosis, Role, SelfDiagnosis } from '@qmtcode/protocol'
import { command, config, ok, problem, warning } from './check.ts'
import type { Check } from './check.ts'

const AREA = 'Models and sessions'

/** What came of asking the peer for its sessions. */
export type SessionsSeen = { count: number; more: boolean } | { problem: string }

/** What this node may do there, and the peer here. */
export function usingChecks(peer: PeerDiagnosis, self: SelfDiagnosis, sessions: SessionsSeen | undefined): Check[] {
  if (peer.link.state !== 'up' && peer.link.state !== 'suspect') return []
  return [useCheck(peer), ...roleChecks(peer, self), ...offerChecks(peer), ...sessionChecks(peer, sessions), hereCheck(peer)]
}

function useCheck({ here, name, peerId, meaning }: PeerDiagnosis): Check {
  if (here?.use) return ok(AREA, 'use', `prompts may go to ${name}`)
  return warning(AREA, 'use', `use is off: no prompt may go to ${name}, so its models and sessions cannot be used from here`, [
    command(`qmtcode peers use ${meaning === 'configured' ? name : (peerId ?? name)}`),
    ...(meaning === 'configured' ? [config('use = true   # in its [[mesh.peers]], if it says false')] : []),
  ])
}

/** What a role lets `who` do at the other's. */
const MAY: Record<Role, (who: string) => string> = {
  observer: (who) => `see the node, and follow sessions that were shared with ${who}`,
  client: (who) => `call shared models, and have sessions in shared workspaces, as far as they are shared with ${who}`,
  member: () => 'use what is shared, see session rows and the board',
  admin: () => 'use what is shared, observe all sessions, and invite',
}

function roleChecks({ hello, here, name }: PeerDiagnosis, self: SelfDiagnosis): Check[] {
  const role = hello?.role
  if (role === undefined) return []
  const text = `this node is ${role} at ${name}: may ${MAY[role]('this node')}`
  if (roleIncludes(role, 'client') || here?.use !== true) return [ok(AREA, 'role-there', text)]
  return [problem(AREA, 'role-there', `${text}, and no more`, [command(`qmtcode peers role ${self.peerId} client`, name)])]
}

function offerChecks({ record, hello, here, name }: PeerDiagnosis): Check[] {
  if (!record || !roleIncludes(hello?.role, 'client')) return []
  const { models, agents } = record
  const share = (lines: string) => config(`[mesh.share]\n${lines}`, name)
  if (models.length === 0 && agents.length === 0) {
    const text = `${name} shares nothing with this node: no model, no agent, no workspace`
    const fixes = [share('models = ["*"]\nagents = ["*"]\nworkspaces = ["/path/to/project"]'), command('qmtcode models', name)]
    return [here?.use ? problem(AREA, 'offers', text, fixes) : warning(AREA, 'offers', text, fixes)]
  }
  const some = models.length === 0 ? 'no models' : `models: ${list(models)}`
  if (agents.length > 0) return [ok(AREA, 'offers', `${some}; agents: ${list(agents)}`)]
  return [
    warning(AREA, 'offers', `${some}; no agents, so no session can be begun on ${name}`, [
      share('agents = ["*"]\nworkspaces = ["/path/to/project"]'),
    ]),
  ]
}

const list = (names: readonly string[]): string =>
  `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`

function sessionChecks({ name, record }: PeerDiagnosis, sessions: SessionsSeen | undefined): Check[] {
  if (!sessions) return []
  if ('problem' in sessions) return [warning(AREA, 'sessions', `its sessions cannot be listed: ${sessions.problem}`)]
  if (sessions.count > 0)
    return [ok(AREA, 'sessions', `${sessions.count}${sessions.more ? ' or more' : ''} to attach to: qmtcode attach ${name}`)]
  return [
    ok(AREA, 'sessions', `none to attach to: only those that this node began there, or was given a right on`, [
      ...((record?.agents.length ?? 0) > 0 ? [command(`qmtcode attach ${name} --new`)] : []),
      command('qmtcode sessions share ses_… --with THIS-NODE --as prompt', name),
    ]),
  ]
}

function hereCheck({ here, name }: PeerDiagnosis): Check {
  const role = here?.role
  return ok(AREA, 'role-here', role === undefined ? `${name} may do nothing here` : `${name} is ${role} here: may ${MAY[role](name)}`)
}
