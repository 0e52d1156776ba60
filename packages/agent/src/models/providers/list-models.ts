import { AppError } from '@qmtcode/protocol'
import { z } from 'zod'

const MAX_BYTES = 2_097_152
const MAX_MODELS = 1_000
const modelListSchema = z.object({ data: z.array(z.object({ id: z.string().min(1).max(200) })) })

/** GET /models of an OpenAI-compatible server. `['*']` where the server has no such path. */
export async function listServerModels(
  server: { name: string; baseUrl: string; apiKey: string | undefined },
  options: { signal: AbortSignal; fetch: typeof fetch },
): Promise<string[]> {
  const headers: Record<string, string> = server.apiKey === undefined ? {} : { authorization: `Bearer ${server.apiKey}` }
  const response = await options.fetch(`${server.baseUrl}/models`, { headers, signal: options.signal })
  if (response.status === 404 || response.status === 405) {
    await response.body?.cancel()
    return ['*']
  }
  if (!response.ok) {
    await response.body?.cancel()
    throw new AppError('provider_error', `${server.name} at ${server.baseUrl} refused to list its models: status ${response.status}`, {
      details: { status: response.status },
    })
  }
  const list = modelListSchema.safeParse(parseJson(await boundedText(response)))
  if (!list.success) throw new AppError('provider_error', `${server.name} at ${server.baseUrl} answered /models with something else`)
  return [...new Set(list.data.data.map(({ id }) => id))].slice(0, MAX_MODELS)
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
