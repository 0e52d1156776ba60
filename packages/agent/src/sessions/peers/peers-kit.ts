import { newPromptId, systemClock } from '@qmtcode/protocol'
import type { PeerId, PromptReceipt, Role, SessionId, Sessions } from '@qmtcode/protocol'
import type { RunTurn } from '../../turn/types.ts'
import type { SessionsOptions } from '../types.ts'
import { startSessions } from '../sessions-kit.ts'
import type { SessionsKit } from '../sessions-kit.ts'
import { createPeerBounds } from './bounds.ts'
import { createTurnJudge } from './judge.ts'
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
  /** Undefined: not admitted, or banned. */
  roles: Map<PeerId, Role | undefined>
  /** `[mesh.share]`, to be changed; `share` of a peer stands over it. */
  shared: SharedSessions
}

export async function startPeersKit(
  runTurn: RunTurn = async () => ({ stopReason: 'completed', usage: none }),
  limits: Parameters<typeof createPeerBounds>[1] & SessionsOptions['limits'] = { peerPromptsAMinute: 1_000 },
): Promise<PeersKit> {
  const roles = new Map<PeerId, Role | undefined>()
  const roleOf = (peerId: PeerId): Role | undefined => (roles.has(peerId) ? roles.get(peerId) : 'client')
  const names = new Map([
    [ALICE, 'alice'],
    [BOB, 'bob'],
  ])
  const shared: SharedSessions = { agents: ['coder'], workspaces: [], models: ['*'], sessions: 'shared' }
  const node = { name: 'host', peerId: HOST }
  const kit: SessionsKit = await startSessions(runTurn, {
    limits,
    peerId: HOST,
    assertMay: async (...asked) =>
      await createTurnJudge(
        { agents: kit.agents, node },
        { share: shared, about: (peerId) => ({ name: names.get(peerId) ?? 'carol', role: roleOf(peerId) }) },
      )(...asked),
  })
  const { workspace, agents } = kit
  shared.workspaces = [workspace]
  const bounds = createPeerBounds({ sessions: kit.sessions, clock: systemClock, node }, limits)
  return {
    kit,
    workspace,
    roles,
    shared,
    get host() {
      return kit.sessions.as({ peerId: HOST, node: 'host', user: 'root' })
    },
    peer: (peerId, share = {}) =>
      createPeerSessions(
        { sessions: kit.sessions, agents, bounds, node },
        {
          caller: {
            peerId,
            name: names.get(peerId) ?? 'carol',
            role: () => roleOf(peerId) ?? 'observer',
            isAllowed: () => roleOf(peerId) !== undefined,
          },
          share: { ...shared, ...share },
        },
      ),
    [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose](),
  }
}

const none = { inputTokens: 0, outputTokens: 0 }

export const tell = (sessions: Sessions, session: SessionId, text: string): Promise<PromptReceipt> =>
  sessions.prompt(session, { promptId: newPromptId(), content: [{ type: 'text', text }] })
