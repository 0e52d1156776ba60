import type { Command } from 'commander'
import type { Invocation } from './invocation.ts'
import { parseLimit } from './values.ts'

interface ListValues {
  limit: number
  match?: string
  by?: string
  watch: boolean
}

/** `board` and what changes it. */
export function addBoardCommands(program: Command, invoke: (invocation: Invocation) => void): void {
  const board = program.command('board').description("the team's notes, of all nodes: list; add, edit, rm").option('--json', 'JSON')
  board
    .option('--limit <n>', 'at most so many, the newest', parseLimit, 100)
    .option('--match <text>', 'only notes with these words')
    .option('--by <node>', 'only notes of this node')
    .option('--watch', 'and then what comes, until Ctrl-C', false)
  board.action(() => invoke({ command: 'board', action: 'list', json: isJson(board), ...board.opts<ListValues>() }))
  const add = board.command('add').description('leave a note').argument('[text]', 'at most 4 KiB; "-" or none: read from stdin')
  add.option('--json', 'JSON').action((text?: string) => invoke({ command: 'board', action: 'add', text, json: isJson(add) }))
  const edit = board
    .command('edit')
    .description('change a note: of this node, or as an admin')
    .argument('<note>', 'its id, or the end of it')
  edit
    .argument('[text]', '"-" or none: read from stdin')
    .option('--json', 'JSON')
    .action((id: string, text?: string) => invoke({ command: 'board', action: 'edit', id, text, json: isJson(edit) }))
  const remove = board
    .command('rm')
    .description('take a note away: of this node, or as an admin')
    .argument('<note>', 'its id, or the end of it')
  remove.option('--json', 'JSON').action((id: string) => invoke({ command: 'board', action: 'remove', id, json: isJson(remove) }))
}

const isJson = (command: Command): boolean => command.optsWithGlobals<{ json?: boolean }>().json === true
