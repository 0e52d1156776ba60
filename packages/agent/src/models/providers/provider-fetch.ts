import { AppError } from '@qmtcode/protocol'

/**
 * The `fetch` of provider packages. A redirect is an error, since it would carry the key to another host;
 * a web page in place of an answer is one, since the packages would take it for an empty stream.
 */
export function createProviderFetch(provider: { name: string; baseUrl: string }): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'error' })
    if (!isHtml(response.headers)) return response
    await response.body?.cancel()
    throw new AppError(
      'provider_error',
      `${provider.name} at ${provider.baseUrl} answered with a web page (status ${response.status}), not as a model server`,
      { details: { status: response.status }, hint: `check [providers.${provider.name}] base_url; it usually ends in /v1` },
    )
  }
}

const isHtml = (headers: Headers): boolean => /text\/html|application\/xhtml/i.test(headers.get('content-type') ?? '')
