import { AppError } from '@qmtcode/protocol'
import { z } from 'zod'
import type { AskServer } from './server-facts.ts'

const MAX_BYTES = 2_097_152
const MAX_MODELS = 1_000
const tokens = z.int().positive().optional().catch(undefined)
/** How much the context of a model holds is no part of OpenAI's list: vLLM, OpenRouter, Groq and llama-server each have their word for it. */
const listedSchema = z.object({
  id: z.string().min(1).max(200),
  max_model_len: tokens,
  context_length: tokens,
  context_window: tokens,
  meta: z.object({ n_ctx: tokens }).optional().catch(undefined),
  owned_by: z.string().max(100).optional().catch(undefined),
  created: z.number().optional().catch(undefined),
})
const modelListSchema = z.object({ data: z.array(listedSchema) })

export interface ListedModel {
  name: string
  /** Where the server tells. */
  contextTokens?: number
  ownedBy?: string
  /** When it was made or changed, as the server counts. */
  created?: number
}

/** GET /models of an OpenAI-compatible server. `*` alone where the server has no such path. */
export async function listServerModels(
  server: { name: string; baseUrl: string; apiKey: string | undefined },
  options: { signal: AbortSignal; fetch: typeof fetch },
): Promise<ListedModel[]> {
  const headers: Record<string, string> = server.apiKey === undefined ? {} : { authorization: `Bearer ${server.apiKey}` }
  const response = await options.fetch(`${server.baseUrl}/models`, { headers, signal: options.signal })
  if (response.status === 404 || response.status === 405) {
    await response.body?.cancel()
    await requireVersion(server, options)
    return [{ name: '*' }]
  }
  if (!response.ok) {
    await response.body?.cancel()
    throw new AppError('provider_error', `${server.name} at ${server.baseUrl} refused to list its models: status ${response.status}`, {
      details: { status: response.status },
    })
  }
  const list = modelListSchema.safeParse(parseJson(await boundedText(response)))
  if (!list.success) throw new AppError('provider_error', `${server.name} at ${server.baseUrl} answered /models with something else`)
  const models = list.data.data.map(({ id, ...told }): [string, ListedModel] => [
    id,
    {
      name: id,
      contextTokens: told.max_model_len ?? told.context_length ?? told.context_window ?? told.meta?.n_ctx,
      ownedBy: told.owned_by,
      created: told.created,
    },
  ])
  return [...new Map(models).values()].slice(0, MAX_MODELS)
}

/** For what a server tells beside `/v1`: undefined where it does not. */
export function asker(
  server: { baseUrl: string; apiKey: string | undefined },
  { signal, fetch }: { signal: AbortSignal; fetch: typeof globalThis.fetch },
): AskServer {
  const root = server.baseUrl.replace(/\/v1$/, '')
  const headers: Record<string, string> = server.apiKey === undefined ? {} : { authorization: `Bearer ${server.apiKey}` }
  return async (path, body) => {
    const post = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) }
    try {
      const response = await fetch(`${root}${path}`, { ...(body === undefined ? { headers } : post), signal })
      if (response.ok) return parseJson(await boundedText(response))
      await response.body?.cancel()
    } catch {
      return undefined
    }
    return undefined
  }
}

/** A base URL without the version is a slip that nearly every server answers with 404. Throws bad_config where `/v1` has the list. */
async function requireVersion(
  { name, baseUrl }: { name: string; baseUrl: string },
  { signal, fetch }: { signal: AbortSignal; fetch: typeof globalThis.fetch },
): Promise<void> {
  if (new URL(baseUrl).pathname !== '/') return
  const response = await fetch(`${baseUrl}/v1/models`, { signal }).catch(() => undefined)
  await response?.body?.cancel()
  // 401: the list is there, for those who have a key, which is not sent to an address that was not written.
  if (response?.ok !== true && response?.status !== 401) return
  throw new AppError('bad_config', `${name}: /v1 is missing at the end of its base_url ${baseUrl}`, {
    hint: `[providers.${name}] base_url = "${baseUrl}/v1"`,
  })
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > MAX_BYTES) throw new AppError('too_large', `a list of models of more than ${MAX_BYTES} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
