import { AppError } from '@qmtcode/protocol'
import type { Peers } from '@qmtcode/protocol'
import { BUILTIN_PROVIDER } from '../models/providers/known-providers.ts'
import type { PeerPlace } from './usable-peers.ts'

const NAMED_MODELS = 10

/** The model of a peer for an agent that names none: its only one. builtin/demo counts only when named. */
export async function modelOfPeer(peers: Peers, { peerId, name }: PeerPlace): Promise<string> {
  const offers = await peers.models(peerId).offers()
  const ids = offers
    .filter(({ id, provider, state }) => !id.includes('*') && provider !== BUILTIN_PROVIDER && state !== 'down')
    .map(({ id }) => id)
  const [only] = ids
  if (only !== undefined && ids.length === 1) return only
  const listed = offers.slice(0, NAMED_MODELS).map(({ id }) => id)
  if (listed.length === 0) throw new AppError('model_unavailable', `${name} shares no model`, { hint: `over there: [mesh.share] models` })
  throw new AppError('model_unavailable', `no model is named for ${name}, and it does not share just one`, {
    hint: `name one by --model or the agent's model: ${listed.join(', ')}`,
  })
}
