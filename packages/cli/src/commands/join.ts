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
    if (!json) for (const line of nextLines(joined, node.others === undefined)) context.out.line(line)
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
      ? `from now on prompts of this machine may leave it to ${called}; to stop that: qmtcode peers use ${called} --off (or join --no-use)`
      : `no prompts go to ${called}; to let them: qmtcode peers use ${called}`,
  ]
}

/** What to type now. The mesh is there where a node of this home runs; else each command says it, or the configuration does. */
function nextLines({ name, use }: Joined, isRunning: boolean): string[] {
  const mesh = isRunning ? 'qmtcode' : 'qmtcode --mesh'
  const called = printableLine(name, 63)
  return [
    `next: ${use ? `${mesh} run --node ${called} "hello"` : `${mesh} nodes`}`,
    ...(isRunning ? [] : ['without --mesh each time: a line [mesh] in the configuration, or a node that stays: qmtcode --headless --mesh']),
  ]
}
