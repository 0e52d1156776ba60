import type { Joined } from '@qmtcode/protocol'
import { span } from '../output/format.ts'
import { jsonLine, printableLine } from '../output/printable.ts'
import { meshOf, requirePerson, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { JoinCommand } from './invocation.ts'

/** Joins the mesh that an invite leads into. */
export async function join(context: CommandContext, { url, name, use, json, yes }: JoinCommand): Promise<number> {
  requirePerson(context, { yes, what: 'join' })
  return await withNode(context, { withMesh: true }, async (node) => {
    const joined = await meshOf(node).trust.join(url, { name, use, signal: context.interrupts.signal })
    if (json) context.out.line(jsonLine(joined, 2))
    else for (const line of joinedLines(joined, context.components.clock.now())) context.out.line(line)
    if (node.others !== undefined && !json)
      context.err.line(context.errStyle.dim('to be in the mesh: qmtcode --mesh, or a [mesh] table in the configuration'))
    return 0
  })
}

function joinedLines({ root, inviter, name, role, expiresAt, use }: Joined, now: number): string[] {
  const called = printableLine(name, 63)
  const admin = root === inviter ? `${called} is its root, and` : `its root ${root} is`
  return [
    `joined the mesh of ${called} (${inviter}) as ${role}`,
    `for ${span(expiresAt - now)}, and longer while its admins renew it`,
    `${admin} an admin here; other members have the role that their grants say`,
    'to lower one: qmtcode peers role PEER-ID observer',
    use
      ? `prompts may go to ${called}; to stop that: qmtcode peers use ${called} --off`
      : `no prompts go to ${called}: qmtcode peers use ${called}`,
  ]
}
