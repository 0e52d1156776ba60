import { AppError, roleIncludes } from '@qmtcode/protocol'
import type { InviteTerms, Joined, PeerId, PeerInfo, Peers } from '@qmtcode/protocol'
import type { NodeHandle } from '../node-handle.ts'
import { span } from '../output/format.ts'
import { jsonLine, printableLine } from '../output/printable.ts'
import { meshOf, requirePerson, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import { inviteText } from './invite-input.ts'
import type { JoinCommand } from './invocation.ts'
import { createPersonsLines } from './persons-lines.ts'
import type { PersonsLines } from './persons-lines.ts'

/** Joins the mesh that an invite leads into, after it has said who will be admin here, and was answered. */
export async function join(context: CommandContext, command: JoinCommand): Promise<number> {
  requirePerson(context, { yes: command.yes, what: 'join' })
  using lines = createPersonsLines(context.components.stdin)
  const text = await context.interrupts.race(inviteText(context, command, lines))
  return await withNode(context, { withMesh: 'dials' }, async (node) => await joinBy(context, node, { ...command, text, lines }))
}

async function joinBy(
  context: CommandContext,
  node: NodeHandle,
  { text, lines, name, use, json, yes }: JoinCommand & { text: string; lines: PersonsLines },
): Promise<number> {
  const { out, err, components, interrupts } = context
  const { trust, peers } = meshOf(node)
  for (const line of termsLines(await trust.readInvite(text), { use, now: components.clock.now() })) err.line(line)
  if (!yes && !(await agrees(context, lines))) throw new AppError('cancelled', 'not joined: nothing changed')
  const joined = await trust.join(text, { name, use, signal: interrupts.signal })
  if (json) {
    out.line(jsonLine(joined, 2))
    return 0
  }
  for (const line of joinedLines(joined, components.clock.now())) out.say(line)
  const inviter = joined.use ? await toldBy(joined.inviter, peers, interrupts.signal) : undefined
  out.say(`next: qmtcode ${firstTry(joined, inviter)}`)
  if ((await node.status()).listenAddresses.length === 0) out.say(DIALS_ONLY)
  return 0
}

async function agrees({ err }: CommandContext, lines: PersonsLines): Promise<boolean> {
  err.write('join it? [y/N] ')
  return /^y(es)?$/i.test((await lines.next())?.trim() ?? '')
}

/** Who will be admin here, and what that means: said before a person agrees. */
function termsLines({ root, inviter, role, expiresAt }: InviteTerms, { use, now }: { use: boolean; now: number }): string[] {
  const admins = root === inviter ? `its root ${root}` : `its root ${root}, the inviter ${inviter}`
  return [
    `this invite leads into a mesh as ${role}, and holds ${span(Math.max(0, expiresAt - now))} more`,
    `admins here will be: ${admins}, and whom these make admin`,
    'an admin uses what [mesh.share] of this machine shares, and invites and bans members;',
    'it reads no sessions of others here, unless [mesh.share] admins_observe = true is written here, and then none that began before',
    use
      ? `prompts of this machine may leave it to the inviter, ${inviter}; to prevent that: --no-use`
      : 'no prompts of this machine go to the inviter',
  ]
}

const DIALS_ONLY = 'no port is open here: this machine dials; to be reached and to share, let it run: qmtcode --mesh'

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

/** What the inviter offers comes right after the link. Undefined: not in time. */
const TOLD_MS = 3_000

async function toldBy(inviter: PeerId, peers: Peers, signal: AbortSignal): Promise<PeerInfo | undefined> {
  const events = peers.follow({ signal: AbortSignal.any([signal, AbortSignal.timeout(TOLD_MS)]) })
  const look = async () => (await peers.list()).find(({ peerId, hasRecord }) => peerId === inviter && hasRecord === true)
  let found = await look()
  if (found) return found
  for await (const _ of events) {
    found = await look()
    if (found) return found
  }
  return undefined
}

/** Of a model that the inviter told of, only what a shell takes to the letter. */
const PLAIN = /^[\w./:@+-]+$/

function firstTry({ name, role }: Joined, inviter: PeerInfo | undefined): string {
  const called = printableLine(name, 63)
  if (!inviter || !roleIncludes(role, 'client')) return 'nodes'
  if (inviter.agents.length > 0) return `run --node ${called} "hello"`
  const model = inviter.models.find((id) => PLAIN.test(id))
  return model === undefined ? 'nodes' : `run --model ${called}:${model} "hello"`
}
