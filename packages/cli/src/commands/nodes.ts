import { isNode, nodeColumns, nodeJson } from '../output/node-table.ts'
import { meshOf, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { printList } from './list.ts'

export async function nodes(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  return await withNode(context, { needsPeers: true }, async (node) => {
    const rows = (await meshOf(node).peers.list()).filter(isNode)
    printList(context, json, { rows, columns: nodeColumns(rows, context.outStyle, false), json: nodeJson, none: 'no nodes' })
    return 0
  })
}
