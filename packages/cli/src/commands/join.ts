import { roleIncludes } from '@qmtcode/protocol'
import type { Joined, PeerId, PeerInfo, Peers } from '@qmtcode/protocol'
import { span } from '../output/format.ts'
import { jsonLine, printableLine } from '../output/printable.ts'
import { meshOf, requirePerson, withNode } from './context.ts'
import type { CommandContext } from './context.ts'
import type { JoinCommand } from './invocation.ts'

/** Joins the mesh that an invite leads into. */
export async function join(context: CommandContext, { url, name, use, json, yes }: JoinCommand): Promise<number> {
  requirePerson(context, { yes, what: 'join' })
  return await withNode(context, { withMesh: 'dials' }, async (node) => {
    const { out, components, interrupts } = context
    const { trust, peers } = meshOf(node)
    const joined = await trust.join(url, { name, use, signal: interrupts.signal })
    if (json) {
      out.line(jsonLine(joined, 2))
      return 0
    }
    for (const line of joinedLines(joined, components.clock.now())) out.say(line)
    const inviter = joined.use ? await toldBy(joined.inviter, peers, interrupts.signal) : undefined
    out.say(`next: qmtcode ${firstTry(joined, inviter)}`)
    if ((await node.status()).listenAddresses.length === 0) out.say(DIALS_ONLY)
    return 0
  })
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
