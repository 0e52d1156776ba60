import { AppError } from '@qmtcode/protocol'
import { modelDispatcher } from './dispatcher.ts'

/**
 * The `fetch` of provider packages. A redirect is an error, since it would carry the key to another host;
 * a web page in place of an answer is one, since the packages would take it for an empty stream.
 */
export function createProviderFetch(provider: { name: string; baseUrl: string }): typeof fetch {
  return async (input, init) => {
    const response = await patientFetch(input, { ...init, redirect: 'error' })
    if (!isHtml(response.headers)) return response
    await response.body?.cancel()
    throw new AppError(
      'provider_error',
      `${provider.name} at ${provider.baseUrl} answered with a web page (status ${response.status}), not as a model server`,
      { details: { status: response.status }, hint: `check [providers.${provider.name}] base_url; it usually ends in /v1` },
    )
  }
}

/** Node's own `fetch` ends an answer that is silent for 300 s. */
const patientFetch: typeof fetch = async (input, init) => {
  const [undici, dispatcher] = await Promise.all([import('undici'), modelDispatcher()])
  const own = undici.fetch as unknown as (input: unknown, init: object) => Promise<Response> // the same standard, of another package
  return await own(input, { ...init, dispatcher })
}

const isHtml = (headers: Headers): boolean => /text\/html|application\/xhtml/i.test(headers.get('content-type') ?? '')
