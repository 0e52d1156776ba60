import { AppError, isAppError, isoTime } from '@qmtcode/protocol'
import type { InviteInfo, NewInvite } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { span } from '../output/format.ts'
import { jsonLine, printableLine } from '../output/printable.ts'
import { meshOf, requirePerson, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { InviteOptions } from './invocation.ts'
import { printList } from './list.ts'

/** Makes an invite and prints its URL, alone on stdout; what it is good for goes to stderr. */
export async function invite(context: CommandContext, { qr, json, yes, ...wish }: Omit<InviteOptions, 'command'>): Promise<number> {
  requirePerson(context, { yes, what: 'invite' })
  const { name, role, ttlMs, uses, labels } = wish
  return await withNode(context, { withMesh: 'listens' }, async (node) => {
    const { trust } = meshOf(node)
    const made = await trust.invite({ name, role, ttlMs, uses, labels }).catch(async (error: unknown) => {
      throw (await onlyDials(node, error)) ?? error
    })
    if (json) context.out.line(jsonLine(made, 2))
    else {
      if (qr && context.components.stdout.isTTY === true) context.out.line(await qrCode(made.url))
      context.out.line(made.url)
      tell(context, made, node.others !== undefined)
    }
    return 0
  })
}

/** Where no invite can be made since the node that runs here opens no port: whose it is, and what to do. */
async function onlyDials(node: NodeHandle, error: unknown): Promise<AppError | undefined> {
  if (node.others !== undefined || !isAppError(error, 'bad_request') || error.hint === undefined) return undefined
  const { pid, listenAddresses } = await node.status()
  if (listenAddresses.length > 0) return undefined
  const hint = `the qmtcode that runs here (pid ${pid}) only dials: stop that one, and start it with --mesh`
  return new AppError(error.code, error.message, { cause: error, hint })
}

const WHITE_ON_BLACK = '\u001b[97;40m'
const WHITE = '\u001b[97m' // the last line is half a line: nothing is behind it
const PLAIN = '\u001b[0m'

/** Two rows of a code a line, by half blocks; blocks are the light squares, whatever the terminal's colours are. */
async function qrCode(text: string): Promise<string> {
  const { renderUnicodeCompact } = await import('uqr')
  const lines = renderUnicodeCompact(text, { border: 2, ecc: 'L' }).split('\n')
  return lines.map((line) => `${/^▀+$/.test(line) ? WHITE : WHITE_ON_BLACK}${line}${PLAIN}`).join('\n')
}

function tell({ err, errStyle, components }: CommandContext, made: NewInvite, isOurs: boolean): void {
  const uses = made.uses === 1 ? 'one machine' : `${made.uses} machines`
  err.line(
    errStyle.dim(
      `for ${uses}, as ${made.role}, within ${span(made.expiresAt - components.clock.now())}; over there: qmtcode join, then paste it`,
    ),
  )
  err.line(errStyle.dim(`whoever has the URL may use it; to take it back: qmtcode invites revoke ${made.id}`))
  if (isOurs)
    err.line(errStyle.yellow('it is redeemed at this node, which does not run: start it with qmtcode --mesh (or --headless --mesh)'))
}

export async function invites(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  return await withNode(context, { withMesh: 'listens' }, async (node) => {
    const rows = await meshOf(node).trust.invites()
    printList(context, json, {
      rows,
      columns: [
        { title: 'INVITE', value: (row: InviteInfo) => row.id },
        { title: 'STATE', value: (row: InviteInfo) => row.state },
        { title: 'USES LEFT', value: (row: InviteInfo) => `${row.usesLeft} of ${row.uses}` },
        { title: 'ROLE', value: (row: InviteInfo) => row.role },
        { title: 'NAME', value: (row: InviteInfo) => printableLine(row.name ?? '', 63) },
        { title: 'EXPIRES', value: (row: InviteInfo) => isoTime(row.expiresAt) },
      ],
      json: (row: InviteInfo) => row,
      none: 'no invites; to make one: qmtcode invite',
    })
    return 0
  })
}

export async function revokeInvite(
  context: CommandContext,
  { id, json, yes }: { id: string; json: boolean; yes: boolean },
): Promise<number> {
  requirePerson(context, { yes, what: 'invites revoke' })
  return await withNode(context, { withMesh: 'listens' }, async (node) => {
    const revoked = await meshOf(node).trust.revoke(id)
    if (json) context.out.line(jsonLine(revoked, 2))
    else {
      const joined = revoked.joined.map((peerId) => `; it has joined already: ${peerId} (qmtcode peers ban ${peerId} --mesh-wide)`).join('')
      context.out.line(`${revoked.id} is revoked${joined}`)
    }
    return 0
  })
}
