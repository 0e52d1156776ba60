import { isNode, nodeColumns, nodeJson, problemLines } from '../output/node-table.ts'
import { meshOf, tellUnmet, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { printList } from './list.ts'

export async function nodes(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  return await withNode(context, { needsPeers: true }, async (node) => {
    const { peers } = meshOf(node, 'nodes')
    const rows = (await peers.list()).filter(isNode)
    printList(context, json, { rows, columns: nodeColumns(rows, context.outStyle, { isOfPeers: false }), json: nodeJson, none: 'no nodes' })
    if (!json) for (const line of problemLines(rows)) context.err.line(context.errStyle.yellow(line))
    await tellUnmet(context, peers)
    return 0
  })
}
