import { newPromptId, systemClock } from '@qmtcode/protocol'
import type { PeerId, PromptReceipt, Role, SessionId, Sessions } from '@qmtcode/protocol'
import type { RunTurn } from '../../turn/types.ts'
import { startSessions } from '../sessions-kit.ts'
import type { SessionsKit } from '../sessions-kit.ts'
import { createPeerBounds } from './bounds.ts'
import { createPeerSessions } from './peer-sessions.ts'
import type { SharedSessions } from './share.ts'

const id = (letter: string): PeerId => `12D3KooW${letter.repeat(44)}` as PeerId
const HOST = id('H')
export const ALICE = id('A')
export const BOB = id('B')

/** Test kit: a host whose peers have a view each. */
export interface PeersKit extends AsyncDisposable {
  kit: SessionsKit
  workspace: string
  host: Sessions
  /** `role`: changed by `roles`. */
  peer(peerId: PeerId, share?: Partial<SharedSessions>): Sessions
  roles: Map<PeerId, Role>
}

export async function startPeersKit(
  runTurn: RunTurn = async () => ({ stopReason: 'completed', usage: none }),
  limits: Parameters<typeof createPeerBounds>[1] = { peerPromptsAMinute: 1_000 },
): Promise<PeersKit> {
  const kit = await startSessions(runTurn, { peerId: HOST })
  const { workspace, agents } = kit
  const roles = new Map<PeerId, Role>()
  const names = new Map([
    [ALICE, 'alice'],
    [BOB, 'bob'],
  ])
  const bounds = createPeerBounds({ sessions: kit.sessions, clock: systemClock, node: { name: 'host', peerId: HOST } }, limits)
  return {
    kit,
    workspace,
    roles,
    get host() {
      return kit.sessions.as({ peerId: HOST, node: 'host', user: 'root' })
    },
    peer: (peerId, share = {}) =>
      createPeerSessions(
        { sessions: kit.sessions, agents, bounds, node: { name: 'host' } },
        {
          caller: { peerId, name: names.get(peerId) ?? 'carol', role: () => roles.get(peerId) ?? 'client' },
          share: { agents: ['coder'], workspaces: [workspace], models: ['*'], sessions: 'shared', ...share },
        },
      ),
    [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose](),
  }
}

const none = { inputTokens: 0, outputTokens: 0 }

export const tell = (sessions: Sessions, session: SessionId, text: string): Promise<PromptReceipt> =>
  sessions.prompt(session, { promptId: newPromptId(), content: [{ type: 'text', text }] })
