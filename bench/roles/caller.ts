import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { ModelCallOptions } from '@qmtcode/protocol'
import { sequential, throughput, tokenGaps } from '../support/load.ts'
import type { Call } from '../support/load.ts'
import { joinHost, makeNode } from '../support/mesh.ts'
import type { Place } from '../support/mesh.ts'
import { serveRole } from '../support/role.ts'

/** Process A: the one that calls a model: by itself, over a hop, through a gateway. Everything is measured here. */
export type Way = 'direct' | 'mesh' | 'gateway'
interface Order {
  way: Way
  /** Of the mock. */
  model: string
}

const options: ModelCallOptions = { prompt: [{ role: 'user', content: [{ type: 'text', text: 'Say ten words.' }] }], maxOutputTokens: 100 }
const ways: Partial<Record<Way, (model: string) => Call>> = {}
const callOf = ({ way, model }: Order): Call => {
  const make = ways[way]
  if (!make) throw new Error(`${way} is not open`)
  return make(model)
}

/** A kept connection may be closed by the server at the moment it is used: once more then, as HTTP clients do. */
async function again(send: () => Promise<Response>): Promise<Response> {
  try {
    return await send()
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } }
    if (cause?.code !== 'UND_ERR_SOCKET' && cause?.code !== 'ECONNRESET') throw error
    return await send()
  }
}

serveRole({
  /** The AI SDK's own provider in this process, streaming from the mock. */
  openDirect: ({ url }: { url: string }) => {
    const provider = createOpenAICompatible({ name: 'mock', baseURL: url })
    ways.direct = (name) => {
      const model = provider.chatModel(name)
      return async (onToken) => {
        const { stream } = await model.doStream(options)
        const reader = stream.getReader()
        for (let next = await reader.read(); !next.done; next = await reader.read()) {
          if (next.value.type === 'text-delta') onToken?.()
          else if (next.value.type === 'error') throw next.value.error
        }
      }
    }
  },
  /** Makes the caller's key where there is none. */
  identity: async ({ directory }: { directory: string }) => (await makeNode({ directory, name: 'caller' })).peerId,
  /** A mesh node in this process; the model is the host's. */
  openMesh: async ({ directory, host }: { directory: string; host: Place }) => {
    const node = await joinHost({ directory, name: 'caller' }, host)
    const models = node.peers.models(host.peerId)
    ways.mesh = (name) => async (onToken) => {
      for await (const part of models.stream({ model: `mock/${name}`, options })) if (part.type === 'text-delta') onToken?.()
    }
  },
  /** Portkey: one plain fetch and one JSON answer a call, the cheapest that a caller can do. */
  openGateway: ({ url, mock }: { url: string; mock: string }) => {
    const headers = {
      'content-type': 'application/json',
      authorization: 'Bearer bench',
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': mock,
    }
    ways.gateway = (model) => {
      const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Say ten words.' }], max_tokens: 100 })
      return async () => {
        const response = await again(() => fetch(url, { method: 'POST', headers, body }))
        const answer = (await response.json()) as { choices?: unknown[] }
        if (answer.choices?.length !== 1) throw new Error(`status ${response.status}: ${JSON.stringify(answer)}`)
      }
    }
  },
  sequential: ({ ms, ...order }: Order & { ms: number }) => sequential(callOf(order), ms),
  throughput: ({ inFlight, ms, ...order }: Order & { inFlight: number; ms: number }) => throughput(callOf(order), { inFlight, ms }),
  tokenGaps: ({ streams, ...order }: Order & { streams: number }) => tokenGaps(callOf(order), streams),
})
