import type { Role } from '@qmtcode/protocol'
import type { Command } from 'commander'
import type { Invocation } from './invocation.ts'
import { collectLabel, parseDuration, parseRole, parseUses } from './values.ts'

const DAY_MS = 86_400_000

/** `invite`, `invites` and `join`. */
export function addJoinCommands(program: Command, invoke: (invocation: Invocation) => void): void {
  addInvite(program, invoke)
  const invites = program
    .command('invites')
    .description('the invites of this node, and their uses left; revoke one')
    .option('--json', 'JSON')
  invites.action(() => invoke({ command: 'invites', json: flagsOf(invites).json === true }))
  const revoke = personal(invites.command('revoke').description('nobody joins by it any more')).argument('<id>', 'inv_…')
  revoke.action((id: string) => invoke({ command: 'invites revoke', id, ...said(revoke) }))
  const join = personal(program.command('join').description('join a mesh by an invite'))
    .argument('[invite]', 'qmt://mesh/join/…, as qmtcode invite printed it; - or nothing: pasted here, or piped in')
    .option('--file <path>', 'the invite is in this file')
    .option('--name <name>', 'what to call the inviter here')
    .option('--no-use', 'let no prompts go to the inviter')
  join.action((invite: string | undefined, values: { file?: string; name?: string; use: boolean }) =>
    invoke({ command: 'join', invite, ...values, ...said(join) }),
  )
}

function addInvite(program: Command, invoke: (invocation: Invocation) => void): void {
  const invite = personal(program.command('invite').description('let a machine join: prints a URL and its QR code'))
    .option('--name <name>', 'what to call the machine that joins, here')
    .option('--role <role>', 'observer, client (default), member or admin', parseRole, 'client' as Role)
    .option('--ttl <time>', 'how long it holds: 30m, 24h (default), at most 30d', parseDuration, DAY_MS)
    .option('--uses <n>', 'how many may join by it (default: 1)', parseUses, 1)
    .option('--label <labels>', 'words to choose the machine by, with commas between', collectLabel, [])
    .option('--no-qr', 'the URL alone')
  invite.action((values: InviteValues) => {
    const { name, role, ttl: ttlMs, uses, label: labels, qr } = values
    invoke({ command: 'invite', name, role, ttlMs, uses, labels, qr, ...said(invite) })
  })
}

interface InviteValues {
  name?: string
  role: Role
  ttl: number
  uses: number
  label: string[]
  qr: boolean
}

const personal = (command: Command): Command => command.option('--json', 'JSON').option('--yes', 'without a person at a terminal')
const flagsOf = (command: Command): { json?: boolean; yes?: boolean } => command.optsWithGlobals()
const said = (command: Command): { json: boolean; yes: boolean } => {
  const { json, yes } = flagsOf(command)
  return { json: json === true, yes: yes === true }
}
