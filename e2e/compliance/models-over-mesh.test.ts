import { createHostModels, createLocalModels, createProviders } from '@qmtcode/agent'
import type { LocalModels } from '@qmtcode/agent'
import { modelsContract, modelsHandlers, modelsOverRpc } from '@qmtcode/protocol'
import { modelsCompliance, startScriptedLlm } from '@qmtcode/testing'
import type { ModelsSetup, Script, ScriptedLlm } from '@qmtcode/testing'
import { openLocalSocket } from '../support/local-socket.ts'
import { openMeshPair } from '../support/mesh-nodes.ts'

modelsCompliance('over the mesh', async (script, setup) => {
  await using opening = new AsyncDisposableStack()
  const { server, local } = opening.use(await startRack(script, setup))
  const { host, caller } = opening.use(
    await openMeshPair({
      serve: (host) =>
        host.serve(modelsContract, {
          handlersFor: ({ peerId }) => modelsHandlers(createHostModels({ models: local }, { self: host.peerId, caller: peerId })),
        }),
    }),
  )
  const opened = opening.move()
  return {
    server,
    models: caller.peers.models(host.peerId),
    model: 'rack/scripted',
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
})

modelsCompliance('over the local socket', async (script, setup) => {
  await using opening = new AsyncDisposableStack()
  const { server, local } = opening.use(await startRack(script, setup))
  const socket = opening.use(await openLocalSocket([{ contract: modelsContract, handlers: modelsHandlers(local) }]))
  const opened = opening.move()
  return {
    server,
    models: modelsOverRpc(socket.connect().client(modelsContract)),
    model: 'rack/scripted',
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
})

/** A scripted model server, and this node's models with it behind the provider `rack`. */
async function startRack(script: Script, setup: ModelsSetup): Promise<AsyncDisposable & { server: ScriptedLlm; local: LocalModels }> {
  const server = await startScriptedLlm(script)
  const providers = createProviders({ rack: { baseUrl: server.url, apiKey: 'a-secret-key' } })
  return { server, local: createLocalModels({ providers }, setup), [Symbol.asyncDispose]: server.stop }
}
