import {
  createHostModels,
  createLocalModels,
  createProviders,
  createResumableCalls,
  createRouter,
  createRoutingTable,
  discoverDefaultModel,
  usablePeerModels,
} from '@qmtcode/agent'
import type { DefaultModel, LocalModels, Router, RoutingTable } from '@qmtcode/agent'
import type { CallerPeer, MeshNode } from '@qmtcode/mesh'
import { roleIncludes, toAppError } from '@qmtcode/protocol'
import type { AgentSpec, Clock, Load, Logger, ModelOffer, Models, PeerId } from '@qmtcode/protocol'
import type { Config } from '../config/config.ts'
import type { Environment } from '../config/environment.ts'
import type { NodeStatus } from '../node-handle.ts'

/** This node's models, what of them peers may use, and the way to all others. */
export interface ModelSide extends AsyncDisposable {
  local: LocalModels
  routes: RoutingTable
  router: Router
  /** What a peer's call reaches: the shared ones, by the host's rules. */
  forPeer(peer: CallerPeer): Models
  shared(): Promise<ModelOffer[]>
  load(): Load
  /** The model that answers where nobody named one, for people. */
  describeDefault(): Promise<NonNullable<NodeStatus['defaultModel']>>
}

export interface ModelSideComponents {
  config: Config
  env: Environment
  agents: readonly AgentSpec[]
  clock: Clock
  logger: Logger
  node: { name: string; peerId?: PeerId }
  /** Absent: the mesh is not enabled. */
  mesh?: MeshNode
}

export function createModelSide(components: ModelSideComponents): ModelSide {
  const { config, env, agents, clock, logger, node, mesh } = components
  const providers = createProviders(config.providers, env)
  const { firstTokenSecs, idleSecs } = config.mesh.timeouts
  const timeouts = { firstTokenMs: firstTokenSecs * 1_000, idleMs: idleSecs * 1_000 }
  const graceMs = config.mesh.streamReconnectGraceSecs * 1_000
  const resumable = createResumableCalls({ graceMs })
  const local = createLocalModels({ providers, clock }, { ...timeouts, slots: config.mesh.share.slots })
  const peers = mesh?.peers
  const defaultModel = (): Promise<DefaultModel> => discoverDefaultModel({ providers, peerModels: () => usablePeerModels(peers) })
  const routes = createRoutingTable({ node, peers, log: logger }, agents)
  const router = createRouter(
    { localModels: local, node, peers, routes, defaultModel },
    { autoFallback: config.mesh.autoFallback, timeouts, reconnectGraceMs: graceMs },
  )
  const share = config.mesh.share.models
  const mayCall = async (peerId: string): Promise<boolean> => {
    const known = (await mesh?.trust.list())?.find((peer) => peer.peerId === peerId)
    return roleIncludes(known?.role, 'client') || (config.mesh.trust === 'open' && known?.trust !== 'banned')
  }
  const hostFor = (caller: string): Models =>
    createHostModels({ models: local, log: logger }, { self: node.peerId ?? '', caller, share, mayCall })
  const describeConfigured = (): DefaultModel | undefined => {
    const model = agents[0]?.model
    return model === undefined ? undefined : { model, from: config.planner ? '[planner]' : '[agent]' }
  }
  return {
    local,
    routes,
    router,
    forPeer: (peer) => resumable.forCaller(peer, hostFor(peer.peerId)),
    shared: () => hostFor('').offers(),
    load: () => local.load(),
    describeDefault: async () => {
      try {
        return describeConfigured() ?? (await defaultModel())
      } catch (error) {
        const { message, hint } = toAppError(error)
        return { problem: message, hint }
      }
    },
    [Symbol.asyncDispose]: async () => {
      resumable.stop()
      await routes.stop()
    },
  }
}
