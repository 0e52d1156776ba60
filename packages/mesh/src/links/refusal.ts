import { AppError, roleIncludes } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import type { Hello } from '../handshake/hello.ts'

/** Why `name` does not let this node in, with the line that its person would run. Undefined: it does. */
export function refusalOf(name: string, self: PeerId, there: Hello | undefined): AppError | undefined {
  if (!there || there.state === 'admitted') return undefined
  const command = commandFor(self, there) ?? `qmtcode peers admit ${self}`
  const reason = there.state === 'banned' ? `${name} has banned this node` : `${name} has not admitted this node`
  return new AppError('not_admitted', reason, { hint: `on ${name}, run: ${command}` })
}

/** The line that `there` proposes, if it speaks of this node: whoever runs it on the wrong machine must not admit another. */
const commandFor = (self: PeerId, { command }: Hello): string | undefined => (command?.split(' ').includes(self) ? command : undefined)

/** Why this node may not call `service` on `name`. Undefined: it may. */
export function serviceRefusalOf(name: string, self: PeerId, there: Hello, service: string): AppError | undefined {
  const refusal = refusalOf(name, self, there)
  if (refusal || there.services.includes(service)) return refusal
  if (there.role !== undefined && roleIncludes(there.role, 'client')) {
    return new AppError('forbidden', `${name} offers its ${service} to no peer of the role ${there.role}, which this node has there`)
  }
  const command = commandFor(self, there) ?? `qmtcode peers role ${self} client`
  return new AppError('forbidden', `${name} gives this node the role ${there.role ?? 'none'}, which may not call its ${service}`, {
    hint: `on ${name}, run: ${command}`,
  })
}

/** For whoever cannot reach `name`: that it may not run, and what tells more. */
export const unreachableHint = (name: string): string => `is qmtcode --mesh running there? try: qmtcode doctor ${name}`
