import type { PeerId, Role } from '@qmtcode/protocol'
import type { Command } from 'commander'
import type { Invocation, PeerChange } from './invocation.ts'
import { parsePeerId, parseRole } from './values.ts'

/** `peers` and the commands that change whom we trust. */
export function addPeersCommands(program: Command, invoke: (invocation: Invocation) => void): void {
  const peers = program.command('peers').description('every known, knocking and banned peer; and whom to trust').option('--json', 'JSON')
  peers.action(() => invoke({ command: 'peers', json: flagsOf(peers).json === true }))

  const change = (usage: string, description: string): Command =>
    peers.command(usage).description(description).option('--json', 'JSON').option('--yes', 'without a person at a terminal')
  const changes = (command: Command, change: PeerChange) => {
    const { json, yes } = flagsOf(command)
    invoke({ command: 'peers change', change, json: json === true, yes: yes === true })
  }

  const admit = change('admit', 'let a peer in')
    .argument('<peer-id>', 'the whole peer id', parsePeerId)
    .option('--role <role>', 'observer, client (default), member or admin', parseRole)
    .option('--name <name>', 'what to call it here')
  admit.action((peer: PeerId, values: { role?: Role; name?: string }) =>
    changes(admit, { kind: 'admit', peer, role: values.role, name: values.name }),
  )
  const role = change('role', 'what an admitted peer may do here')
    .argument('<peer-id>', 'the whole peer id', parsePeerId)
    .argument('<role>', 'observer, client, member or admin', parseRole)
  role.action((peer: PeerId, given: Role) => changes(role, { kind: 'role', peer, role: given }))
  const use = change('use', 'let our prompts go to a peer').argument('<peer>', 'name or whole peer id').option('--off', 'no longer')
  use.action((peer: string, values: { off?: boolean }) => changes(use, { kind: 'use', peer, use: values.off !== true }))
  const ban = change('ban', 'cut it, and never speak with it again')
    .argument('<peer>', 'name or whole peer id')
    .option('--mesh-wide', 'signed, and told to every member')
  ban.action((peer: string, values: { meshWide?: boolean }) => changes(ban, { kind: 'ban', peer, mesh: values.meshWide === true }))
  const unban = change('unban', "take a ban back: this node's, and what it signed for the mesh").argument('<peer>', 'name or whole peer id')
  unban.action((peer: string) => changes(unban, { kind: 'unban', peer }))
  const forget = change('forget', 'drop every decision on a peer: it is unknown again').argument('<peer>', 'name or whole peer id')
  forget.action((peer: string) => changes(forget, { kind: 'forget', peer }))
}

const flagsOf = (command: Command): { json?: boolean; yes?: boolean } => command.optsWithGlobals()
