import { BUILTIN_PROVIDER, KNOWN_PROVIDERS, PROVIDER_KINDS, knownProvider } from '@qmtcode/agent/vocabulary'
import { didYouMean } from '@qmtcode/protocol'
import { finding } from '../diagnostics.ts'
import { errorAt, repeated } from './view.ts'
import type { Check } from './view.ts'

export const checkProviders: Check = (view) =>
  view.named('providers').flatMap(({ name, table }) => {
    if (!/^[\w.-]{1,60}$/.test(name)) {
      return [finding('error', table.path, 'expected a provider name of letters, digits, _ . -, at most 60', 'key')]
    }
    if (name === BUILTIN_PROVIDER) return [finding('error', table.path, 'is in the product and has no settings', 'key')]
    const kind = PROVIDER_KINDS.find((known) => known === table.text('kind'))
    if (table.has('base_url') || knownProvider(name, kind)) return []
    const hint = didYouMean(name, Object.keys(KNOWN_PROVIDERS))
    return [finding('error', table.path, `needs base_url: the server of an OpenAI-compatible provider of its own name${hint}`, 'key')]
  })

export const checkMcp: Check = (view) => {
  const servers = view.list('mcp')
  const both = servers.filter((server) => server.has('command') === server.has('url'))
  return [...repeated(servers, 'name', view), ...both.map((server) => finding('error', server.path, 'needs either command or url', 'key'))]
}

export const checkTls: Check = (view) => {
  const server = view.one('server')
  if (!server || server.has('tls_cert') === server.has('tls_key')) return []
  const [there, missing] = server.has('tls_cert') ? ['tls_cert', 'tls_key'] : ['tls_key', 'tls_cert']
  return [errorAt(server, there, `needs ${missing} beside it`)]
}
