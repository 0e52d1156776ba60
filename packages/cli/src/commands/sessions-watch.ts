import type { MeshSessionRow } from '@qmtcode/protocol'
import { jsonLine, printableLine } from '../output/printable.ts'
import { withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { heardSession, heardText, sessionJson } from './sessions.ts'

/** Every session that this node knows of, then each change, until the person ends it. */
export async function watchSessions(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  const { out, outStyle: style, components, interrupts } = context
  return await withNode(context, { needsPeers: true }, async (node) => {
    for await (const event of node.rows.follow({ signal: interrupts.signal })) {
      if (json) out.line(jsonLine(event.type === 'row.changed' ? { type: event.type, ...sessionJson(heardSession(event.row)) } : event))
      else if (event.type === 'row.removed') out.line(style.dim(`${event.id} is gone`))
      else out.line(rowLine(event.row, components.clock.now()))
    }
    return 0
  })
}

function rowLine({ id, state, seq, agent, node, title, heard }: MeshSessionRow, now: number): string {
  const from = heardText(heard, now)
  return [id, state.padEnd(11), `#${seq}`, `${printableLine(agent)} on ${printableLine(node, 63)}`, printableLine(title), from]
    .filter(Boolean)
    .join('  ')
}
