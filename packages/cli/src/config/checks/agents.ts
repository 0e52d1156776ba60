import { BUILTIN_PROVIDER, BUILT_IN_TOOLS, KNOWN_PROVIDERS, MESH_TOOLS } from '@qmtcode/agent/vocabulary'
import { readPeerId } from '@qmtcode/mesh/addresses'
import { didYouMean, parseModelRef } from '@qmtcode/protocol'
import { finding } from '../diagnostics.ts'
import type { Finding } from '../diagnostics.ts'
import { modelRefOf } from '../model-ref.ts'
import { errorAt, repeated, warningAt } from './view.ts'
import type { Check, Table, View } from './view.ts'

const TOOLS = [...BUILT_IN_TOOLS, ...MESH_TOOLS]
const DEFAULT_IDS: Record<string, string> = { agent: 'default', planner: 'planner' }

/** Tables with a model: `[agent]`, `[planner]`, `[[delegates]]`. */
const thinkers = (view: View): Table[] => [
  ...[view.one('agent') ?? []].flat(),
  ...[view.one('planner') ?? []].flat(),
  ...view.list('delegates'),
]

/** One id, one agent, over all tables that make agents. */
export const checkAgentIds: Check = (view) => {
  const agent = view.one('agent')
  const planner = view.one('planner')
  const made = [...thinkers(view), ...view.list('remote_agents'), ...view.list('agents')]
  const findings = repeated(made, 'id', view)
  if (agent && planner)
    findings.push(finding('error', planner.path, '[agent] and [planner] are two words for the default agent: keep one', 'key'))
  const main = planner ?? agent
  const implied = main?.has('id') ? undefined : (DEFAULT_IDS[String(main?.path[0])] ?? 'default')
  const owner = main ? `[${String(main.path[0])}]` : 'the built-in agent'
  for (const table of made.filter((table) => table !== main && table.text('id') === implied && implied !== undefined)) {
    findings.push(errorAt(table, 'id', `${JSON.stringify(implied)} is the id of ${owner}`))
  }
  return findings
}

export const checkModels: Check = (view) => thinkers(view).flatMap((table) => checkModel(table, view))

function checkModel(table: Table, view: View): Finding[] {
  const [provider, model] = [table.text('provider'), table.text('model')]
  const shown = view.shown([...table.path, 'model'])
  if (provider !== undefined && !table.has('model'))
    return [finding('error', [...table.path, 'provider'], 'needs a model beside it', 'key')]
  if (model === undefined || model === '') return []
  const ref = modelRefOf({ provider, model })
  if (!ref) return [errorAt(table, 'model', `expected provider/model or a provider beside it, got ${shown}`)]
  const peer = table.text('peer')
  if (ref.node !== undefined && peer !== undefined && ref.node !== peer) {
    return [errorAt(table, 'peer', `differs from the node of model ${shown}: keep one`)]
  }
  const remote = ref.node !== undefined || peer !== undefined
  return remote ? [] : checkProvider(table, ref.provider, view)
}

/** What a peer's providers are called is the peer's affair; ours we know. */
function checkProvider(table: Table, provider: string, view: View): Finding[] {
  const known = [...Object.keys(KNOWN_PROVIDERS), BUILTIN_PROVIDER, ...view.named('providers').map(({ name }) => name)]
  if (known.includes(provider)) return []
  const key = table.has('provider') ? 'provider' : 'model'
  const message = `no provider ${JSON.stringify(provider)} is known here; it needs a table [providers.${provider}]`
  return [warningAt(table, key, `${message}${didYouMean(provider, known)}`)]
}

/** A name that is not listed may still be a node's own, pinned name: a warning here, an error where it is used. */
export const checkPeerRefs: Check = (view) => {
  const names = view.list('mesh', 'peers').flatMap((peer) => peer.text('name') ?? [])
  const off = view.one('mesh') === undefined
  return [...thinkers(view), ...view.list('remote_agents')].flatMap((table) => {
    const key = table.has('peer') ? 'peer' : 'model'
    const node = table.has('provider') ? undefined : parseModelRef(table.text('model') ?? '')?.node
    const peer = table.text('peer') ?? node
    if (peer === undefined || peer === 'any' || names.includes(peer) || readPeerId(peer).ok) return []
    const shown = table.has('peer') ? view.shown([...table.path, key]) : JSON.stringify(peer)
    const hint = off ? '; there is no [mesh] table' : didYouMean(peer, names)
    return [warningAt(table, key, `${shown} is not the name of one of [[mesh.peers]]${hint}`)]
  })
}

export const checkMcpRefs: Check = (view) => {
  const names = view.list('mcp').flatMap((server) => server.text('name') ?? [])
  return thinkers(view).flatMap((table) =>
    table.texts('mcp').flatMap((name, at) => {
      const path = [...table.path, 'mcp', at]
      return names.includes(name)
        ? []
        : [finding('error', path, `${view.shown(path)} is not the name of one of [[mcp]]${didYouMean(name, names)}`)]
    }),
  )
}

/** A name with a dot is a tool of an MCP server, which only its server knows. */
export const checkTools: Check = (view) =>
  thinkers(view).flatMap((table) =>
    table.texts('tools').flatMap((tool, at) => {
      if (TOOLS.some((known) => known === tool) || tool.includes('.')) return []
      const path = [...table.path, 'tools', at]
      const hint = didYouMean(tool, TOOLS)
      return [finding('warning', path, `no tool is called ${view.shown(path)}${hint}; there are ${TOOLS.join(', ')}`)]
    }),
  )
