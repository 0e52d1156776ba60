import { z } from 'zod'
import type { ListedModel } from './list-models.ts'

/** What a server tells of a model beside its name. */
export interface ServerFacts {
  /** How much one conversation may really hold: the window that the server runs the model with, not the one that the model was trained for. */
  contextTokens?: number
  /** Calls it runs at once. */
  slots?: number
  /** Calls that it runs now, whoever made them. */
  busy?: number
}

/** GET, or POST of a body, of a path beside `/v1`; undefined where the server does not answer with JSON. */
export type AskServer = (path: string, body?: object) => Promise<unknown>

export interface FactsComponents {
  /** The provider's name, which may tell which server it is. */
  name: string
  listed: readonly ListedModel[]
  ask: AskServer
  /** Kept between calls: what the server told of a model that did not change since. */
  kept: Map<string, ServerFacts>
}

/** Servers have their own paths for what OpenAI's list has no place for. Which server it is, its list tells by `owned_by`, or else the provider's name. */
export async function serverFacts(components: FactsComponents): Promise<Map<string, ServerFacts>> {
  const { name, listed } = components
  const owner = listed.map(({ ownedBy }) => SERVERS_BY_OWNER[ownedBy ?? '']).find((server) => server !== undefined)
  const facts = new Map<string, ServerFacts>(listed.map(({ name: model, contextTokens }) => [model, { contextTokens }]))
  const told = await READERS[owner ?? name]?.(components)
  for (const [model, more] of told ?? []) if (facts.has(model)) facts.set(model, { ...facts.get(model), ...defined(more) })
  return facts
}

const SERVERS_BY_OWNER: Readonly<Record<string, string>> = {
  library: 'ollama',
  llamacpp: 'llama-server',
  organization_owner: 'lmstudio',
  vllm: 'vllm',
}

type Reader = (components: FactsComponents) => Promise<Map<string, ServerFacts>>

/** vLLM tells all that it tells in its list. */
const READERS: Readonly<Record<string, Reader>> = { ollama: ofOllama, 'llama-server': ofLlamaServer, lmstudio: ofLmStudio }

const count = z.int().positive().optional().catch(undefined)
const runningSchema = z.object({ models: z.array(z.object({ name: z.string(), context_length: count })) })
const shownSchema = z.object({ parameters: z.string().optional().catch(undefined) })
const MAX_SHOWN = 64

/** A model that is loaded has the window it was loaded with; one that is not, the one of its Modelfile. Of the server's own default nothing is told. */
async function ofOllama({ listed, ask, kept }: FactsComponents): Promise<Map<string, ServerFacts>> {
  const shown = listed.slice(0, MAX_SHOWN).map(async ({ name, created }): Promise<[string, ServerFacts]> => {
    const key = `${name} ${created ?? ''}`
    const known = kept.get(key)
    if (known) return [name, known]
    const told = shownSchema.safeParse(await ask('/api/show', { model: name }))
    const window = Number(/^\s*num_ctx\s+(\d+)\s*$/m.exec(told.data?.parameters ?? '')?.[1] ?? 0)
    const facts = window > 0 ? { contextTokens: window } : {}
    if (told.success) kept.set(key, facts)
    return [name, facts]
  })
  const [running, ...models] = await Promise.all([ask('/api/ps'), ...shown])
  const loaded = runningSchema.safeParse(running).data?.models ?? []
  const facts = new Map(models)
  for (const { name, context_length: contextTokens } of loaded) if (contextTokens !== undefined) facts.set(name, { contextTokens })
  return facts
}

const propsSchema = z.object({
  total_slots: count,
  default_generation_settings: z.object({ n_ctx: count }).optional().catch(undefined),
})
const slotsSchema = z.array(z.object({ n_ctx: count, is_processing: z.boolean().optional().catch(undefined) }))

/** One model, whose context is shared out among its slots. */
async function ofLlamaServer({ listed, ask }: FactsComponents): Promise<Map<string, ServerFacts>> {
  const [props, slots] = await Promise.all([ask('/props'), ask('/slots')])
  const { total_slots: total, default_generation_settings: settings } = propsSchema.safeParse(props).data ?? {}
  const each = slotsSchema.safeParse(slots).data
  const facts: ServerFacts = {
    contextTokens: settings?.n_ctx ?? each?.[0]?.n_ctx,
    slots: total ?? (each?.length || undefined),
    busy: each?.filter((slot) => slot.is_processing === true).length,
  }
  return new Map(listed.map(({ name }) => [name, facts]))
}

const studioSchema = z.object({
  data: z.array(z.object({ id: z.string(), loaded_context_length: count })),
})

async function ofLmStudio({ ask }: FactsComponents): Promise<Map<string, ServerFacts>> {
  const told = studioSchema.safeParse(await ask('/api/v0/models')).data?.data ?? []
  return new Map(told.map(({ id, loaded_context_length: loaded }) => [id, { contextTokens: loaded }]))
}

const defined = (facts: ServerFacts): ServerFacts => Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
