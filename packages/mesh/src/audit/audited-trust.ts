import { toAppError } from '@qmtcode/protocol'
import type { Audit, AuditEntry, PeerId, Trust } from '@qmtcode/protocol'
import type { Standing } from '../trust/standing.ts'
import type { TrustBook } from '../trust/trust-book.ts'

type Noted = Pick<AuditEntry, 'kind' | 'what' | 'peerId' | 'target' | 'reason'>

/** `port`, with each decision of the person noted, what came of it too. What changes by a mesh or by time is noted as that. */
export function auditedTrust(port: Trust, { audit, trust }: { audit: Audit; trust: TrustBook }): Trust {
  const deciding = new Set<PeerId>()
  const nameOf = (peerId: PeerId | undefined): string | undefined => peerId && trust.nameOf(peerId)

  async function noted<Value>(
    entry: Noted,
    decide: () => Promise<Value>,
    after: (value: Value) => Partial<Noted> = () => ({}),
  ): Promise<Value> {
    const note = (outcome: string, more: Partial<Noted> = {}): void => {
      const peerId = more.peerId ?? entry.peerId
      audit.note({ ...entry, name: nameOf(peerId), by: 'person', ...more, outcome })
    }
    const isOwn = entry.peerId !== undefined && !deciding.has(entry.peerId)
    if (entry.peerId) deciding.add(entry.peerId)
    try {
      const value = await decide()
      note('ok', after(value))
      return value
    } catch (error) {
      note(toAppError(error).code)
      throw error
    } finally {
      if (isOwn && entry.peerId) deciding.delete(entry.peerId)
    }
  }
  trust.onChange((peerId, { before, after }) => {
    if (deciding.has(peerId)) return
    audit.note({ kind: 'trust', what: changeOf(before, after), peerId, name: nameOf(peerId), by: 'mesh', outcome: 'ok' })
  })
  const change = (what: string, peerId: PeerId, reason?: string): Noted => ({ kind: 'trust', what, peerId, reason })
  return {
    list: () => port.list(),
    invites: () => port.invites(),
    readInvite: (text) => port.readInvite(text),
    admit: (peerId, init) =>
      noted(
        change('admit', peerId),
        () => port.admit(peerId, init),
        ({ role }) => ({ reason: role && `as ${role}` }),
      ),
    setRole: (peerId, role) => noted(change('role', peerId, role), () => port.setRole(peerId, role)),
    use: (peerId, use) => noted(change('use', peerId, use ? 'yes' : 'no'), () => port.use(peerId, use)),
    ban: (peerId, init) => noted(change('ban', peerId, init?.mesh === true ? 'in the mesh' : undefined), () => port.ban(peerId, init)),
    unban: (peerId) => noted(change('unban', peerId), () => port.unban(peerId)),
    forget: (peerId) => noted(change('forget', peerId), () => port.forget(peerId)),
    invite: (init) =>
      noted(
        { kind: 'invite', what: 'made' },
        () => port.invite(init),
        ({ id, role, uses }) => ({ target: id, reason: `${role}, ${uses} uses` }),
      ),
    revoke: (inviteId) => noted({ kind: 'invite', what: 'revoked', target: inviteId.slice(0, 80) }, () => port.revoke(inviteId)),
    join: (url, init) =>
      noted(
        { kind: 'invite', what: 'joined' },
        () => port.join(url, init),
        ({ inviter, root, role }) => ({
          peerId: inviter,
          target: root,
          reason: `as ${role}`,
        }),
      ),
  }
}

function changeOf(before: Standing, after: Standing): string {
  if (before.state !== after.state) return after.state
  return before.role !== after.role ? `role ${after.role ?? 'none'}` : `use ${after.use ? 'yes' : 'no'}`
}
