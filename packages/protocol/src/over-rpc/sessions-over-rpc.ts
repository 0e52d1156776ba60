import type { ContractClient, ContractHandlers } from '../contract.ts'
import type { Sessions, sessionsContract } from '../sessions.ts'
import { endCleanly } from './clean-end.ts'

export function sessionsOverRpc(client: ContractClient<typeof sessionsContract>): Sessions {
  return {
    create: async (init) => client.create(init),
    list: async (query = {}) => client.list(query),
    agentModels: async (query = {}) => (await client.agentModels(query)).agents,
    get: async (id) => client.get({ id }),
    prompt: async (id, { promptId, content }) => client.prompt({ id, promptId, content }),
    async answer(id, { id: requestId, answer }) {
      await client.answer({ id, requestId, answer })
    },
    async cancel(id, promptId) {
      await client.cancel({ id, promptId })
    },
    async resume(id) {
      await client.resume({ id })
    },
    configure: async (id, change) => client.configure({ id, change }),
    history: async (id, range = {}) => client.history({ id, ...range }),
    follow: (id, { after, signal } = {}) => endCleanly(client.follow({ id, after }, { signal }), signal),
    fork: async (id, options = {}) => client.fork({ id, options }),
    listFiles: async (id, query = {}) => client.listFiles({ id, query }),
    readFile: async (id, path) => client.readFile({ id, path }),
    presence: async (id) => (await client.presence({ id })).present,
    async share(id, share) {
      await client.share({ id, share })
    },
    async unshare(id, peerId) {
      await client.unshare({ id, peerId })
    },
    async close(id) {
      await client.close({ id })
    },
    async delete(id) {
      await client.delete({ id })
    },
  }
}

export function sessionsHandlers(sessions: Sessions): ContractHandlers<typeof sessionsContract> {
  return {
    create: async (init) => sessions.create(init),
    list: async (query) => sessions.list(query),
    agentModels: async (query) => ({ agents: await sessions.agentModels(query) }),
    get: async ({ id }) => sessions.get(id),
    prompt: async ({ id, promptId, content }) => sessions.prompt(id, { promptId, content }),
    answer: async ({ id, requestId, answer }) => done(sessions.answer(id, { id: requestId, answer })),
    cancel: async ({ id, promptId }) => done(sessions.cancel(id, promptId)),
    resume: async ({ id }) => done(sessions.resume(id)),
    configure: async ({ id, change }) => sessions.configure(id, change),
    history: async ({ id, before, limit }) => sessions.history(id, { before, limit }),
    follow: ({ id, after }, { signal }) => sessions.follow(id, { after, signal }),
    fork: async ({ id, options }) => sessions.fork(id, options),
    listFiles: async ({ id, query }) => sessions.listFiles(id, query),
    readFile: async ({ id, path }) => sessions.readFile(id, path),
    presence: async ({ id }) => ({ present: await sessions.presence(id) }),
    share: async ({ id, share }) => done(sessions.share(id, share)),
    unshare: async ({ id, peerId }) => done(sessions.unshare(id, peerId)),
    close: async ({ id }) => done(sessions.close(id)),
    delete: async ({ id }) => done(sessions.delete(id)),
  }
}

async function done(promise: Promise<void>): Promise<Record<string, never>> {
  await promise
  return {}
}
