import { AppError } from '@qmtcode/protocol'
import type { Board, Note, PeerId } from '@qmtcode/protocol'
import { accountName } from '../account.ts'
import type { NodeHandle } from '../node-handle.ts'
import { ago } from '../output/format.ts'
import { jsonLine, printable, printableLine } from '../output/printable.ts'
import { withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { BoardCommand } from './invocation.ts'
import { promptText } from './prompt-input.ts'

/** The team's notes: list, add, edit, rm. */
export async function board(context: CommandContext, command: BoardCommand): Promise<number> {
  return await withNode(context, { needsPeers: command.action === 'list' }, async (node) => {
    const notes = boardOf(node)
    for (const problem of (await node.status()).problems ?? []) context.err.line(context.errStyle.yellow(printableLine(problem, 1_000)))
    switch (command.action) {
      case 'list':
        return await list(context, node, notes, command)
      case 'add':
        return tell(context, await notes.add(await textOf(context, command.text), { user: accountName() }), command.json)
      case 'edit':
        return tell(context, await notes.edit(await wholeId(notes, command.id), await textOf(context, command.text)), command.json)
      case 'remove': {
        const id = await wholeId(notes, command.id)
        const own = (await node.status()).peerId
        await notes.remove(id)
        if (command.json) context.out.line(jsonLine({ id, removed: true }, 2))
        else context.out.line(`removed ${id}`)
        tellReach(context, id, own)
        return 0
      }
    }
  })
}

function boardOf({ board: notes }: NodeHandle): Board {
  if (notes) return notes
  throw new AppError('bad_request', 'the board is shared over the mesh, which is not enabled here', {
    hint: 'join one: qmtcode join; or start with --mesh, or write [mesh] into the configuration',
  })
}

async function list(
  context: CommandContext,
  node: NodeHandle,
  notes: Board,
  { json, limit, match, by, watch }: Extract<BoardCommand, { action: 'list' }>,
): Promise<number> {
  const peerId = by === undefined ? undefined : (await node.peers?.resolve(by))?.peerId
  const found = await notes.list({ limit, match, peerId })
  if (json && !watch) {
    context.out.line(jsonLine(found, 2))
    return 0
  }
  if (found.length === 0 && !watch) context.err.line('no notes; to write one: qmtcode board add "…"')
  for (const note of found.toReversed()) show(context, note, json)
  if (!watch) return 0
  for await (const event of notes.follow({ signal: context.interrupts.signal })) {
    if (json) context.out.line(jsonLine(event))
    else if (event.type === 'note.written') show(context, event.note, false)
    else context.out.line(context.outStyle.dim(`removed ${event.id}`))
  }
  return 0
}

/** The oldest first, so that the newest stands where the eye is. */
function show({ out, outStyle, components }: CommandContext, note: Note, json: boolean): void {
  if (json) return out.line(jsonLine({ type: 'note.written', note }))
  const writer = note.by.agent === undefined ? note.by.user : `agent ${note.by.agent}`
  const from = writer === undefined ? note.node : `${writer} on ${note.node}`
  const edited = note.edited === undefined ? '' : `, changed by ${printableLine(note.edited.node, 63)}`
  const head = `${printableLine(from, 180)}, ${ago(note.at, components.clock.now())}${edited}`
  out.line(`${outStyle.bold(head)}  ${outStyle.dim(shortId(note))}`)
  for (const line of printable(note.text).split('\n')) out.line(`  ${line}`)
}

/** Enough of an id to name it here: its last part. */
const shortId = ({ id }: Note): string => id.slice(id.indexOf('/') + 1)

function tell(context: CommandContext, note: Note, json: boolean): number {
  if (json) context.out.line(jsonLine(note, 2))
  else context.out.line(`noted: ${shortId(note)}`)
  return 0
}

function tellReach({ err, errStyle }: CommandContext, id: string, own: PeerId | undefined): void {
  if (own !== undefined && id.startsWith(`${own}/`)) return
  err.line(errStyle.dim('removed here, and on the nodes where this one is an admin'))
}

async function textOf({ components, interrupts }: CommandContext, text: string | undefined): Promise<string> {
  if (text !== undefined && text !== '-') return text
  return await promptText(undefined, { stdin: components.stdin, signal: interrupts.signal, notice: () => {} })
}

/** A whole id, or the end of one as lists show it. Throws not_found, ambiguous. */
async function wholeId(notes: Board, written: string): Promise<string> {
  if (written.includes('/')) return written
  const meant = (await notes.list({ limit: 1_000 })).filter(({ id }) => id.endsWith(`/${written}`))
  const [only, second] = meant
  if (!only) throw new AppError('not_found', `no note ${written} on the board`, { hint: 'to list them: qmtcode board' })
  if (second) throw new AppError('ambiguous', `${written} names ${meant.length} notes: ${meant.map(({ id }) => id).join(', ')}`)
  return only.id
}
