import type { Dispatcher } from 'undici'

let shared: Promise<Dispatcher> | undefined

/**
 * The connections of all model calls of this process. They set no limits of time: who waits for an answer does. The proxy is the environment's,
 * never for this machine.
 */
export function modelDispatcher(): Promise<Dispatcher> {
  shared ??= import('undici').then(({ Agent, EnvHttpProxyAgent }) => {
    const limits = { headersTimeout: 0, bodyTimeout: 0, allowH2: false }
    const wantsProxy = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].some((name) => process.env[name])
    return wantsProxy ? new EnvHttpProxyAgent(limits) : new Agent(limits)
  })
  return shared
}
