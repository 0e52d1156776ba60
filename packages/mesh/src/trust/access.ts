import { AppError, accessOf, mayCall } from '@qmtcode/protocol'
import type { CallContext, CallerStanding, Contract, ContractHandlers, MethodAccess, PeerId } from '@qmtcode/protocol'
import type { Standing } from './standing.ts'

type Access = Readonly<Record<string, MethodAccess>>

/** A service's rows of the table, one a method. Throws internal where the table and the contract differ: nothing is served by omission. */
export function requireAccess({ service, methods }: Contract): Access {
  const access = accessOf(service)
  if (!access) throw new AppError('internal', `the service ${service} is not in ACCESS`)
  const names = Object.keys(methods)
  const missing = [...names.filter((name) => !Object.hasOwn(access, name)), ...Object.keys(access).filter((name) => !names.includes(name))]
  if (missing.length > 0) throw new AppError('internal', `ACCESS and the contract of ${service} differ in ${missing.join(', ')}`)
  return access
}

export const callerStanding = ({ state, role, open }: Standing): CallerStanding => ({
  open,
  ...(state === 'admitted' && { role }),
})

interface Judge {
  service: string
  access: Access
  peerId: PeerId
  /** Of the caller, right now. */
  standing(): CallerStanding
}

type AnyHandler = (input: unknown, context: CallContext) => unknown

/** `handlers`, each of them reached only by a caller whose role of now may call it. */
export function judged(handlers: ContractHandlers<Contract>, { service, access, peerId, standing }: Judge): ContractHandlers<Contract> {
  const require = (name: string): void => {
    const method = access[name]
    const caller = standing()
    if (method && mayCall(caller, method)) return
    const role = method?.role ?? 'client'
    throw new AppError('forbidden', `the role ${caller.role ?? 'none'}, which this node has there, may not call ${service} ${name}`, {
      hint: `there: qmtcode peers ${caller.role === undefined ? `admit ${peerId} --role` : `role ${peerId}`} ${role}`,
    })
  }
  const calls = Object.entries(handlers as Record<string, AnyHandler>).map(([name, handler]): [string, AnyHandler] => [
    name,
    (input, context) => {
      require(name)
      return handler(input, context)
    },
  ])
  return Object.fromEntries(calls) as unknown as ContractHandlers<Contract>
}
