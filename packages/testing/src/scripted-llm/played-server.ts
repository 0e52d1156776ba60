/** The model servers of people's machines, which tell of their models on paths of their own. */
export type PlayedServer = 'ollama' | 'llama-server' | 'vllm' | 'lmstudio'

export interface PlayedModels {
  models: readonly string[]
  contextTokens: number | undefined
  slots: number | undefined
}

const TRAINED_TOKENS = 131_072

/** How the server's list tells of a model. */
export function listedBy(server: PlayedServer | undefined, { models, contextTokens }: PlayedModels): object[] {
  const created = 1_700_000_000
  return models.map((id) => {
    const base = { id, object: 'model', created }
    switch (server) {
      case 'ollama':
        return { ...base, owned_by: 'library' }
      case 'llama-server':
        return { ...base, owned_by: 'llamacpp', meta: { n_ctx_train: TRAINED_TOKENS } }
      case 'vllm':
        return { ...base, owned_by: 'vllm', max_model_len: contextTokens }
      case 'lmstudio':
        return { ...base, owned_by: 'organization_owner' }
      case undefined:
        return { ...base, owned_by: 'scripted', context_length: contextTokens }
    }
  })
}

/** What the server answers on its own paths; undefined: it has no such path. */
export function ownPath(server: PlayedServer | undefined, path: string, { models, contextTokens, slots = 1 }: PlayedModels): unknown {
  const [first = ''] = models
  const paths: Record<PlayedServer, Record<string, unknown>> = {
    ollama: {
      '/api/version': { version: '0.13.0' },
      '/api/ps': { models: contextTokens === undefined ? [] : [{ name: first, model: first, context_length: contextTokens }] },
      '/api/show': { parameters: 'temperature 0.7\nnum_ctx                        8192', capabilities: ['completion', 'tools'] },
    },
    'llama-server': {
      '/props': { total_slots: slots, default_generation_settings: { n_ctx: contextTokens } },
      '/slots': Array.from({ length: slots }, (_, id) => ({ id, n_ctx: contextTokens, is_processing: id === 0 })),
    },
    vllm: {},
    lmstudio: {
      '/api/v0/models': {
        data: models.map((id) => ({
          id,
          type: 'llm',
          state: 'loaded',
          max_context_length: TRAINED_TOKENS,
          loaded_context_length: contextTokens,
        })),
      },
    },
  }
  return server === undefined ? undefined : paths[server][path]
}
