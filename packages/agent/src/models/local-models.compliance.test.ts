import { modelsCompliance, startScriptedLlm } from '@qmtcode/testing'
import { createLocalModels } from './local-models.ts'
import { createProviders } from './providers/providers.ts'

modelsCompliance('local', async (script, setup) => {
  const server = await startScriptedLlm(script)
  const providers = createProviders({ rack: { baseUrl: server.url, apiKey: 'a-secret-key' } })
  return { server, models: createLocalModels({ providers }, setup), model: 'rack/scripted', [Symbol.asyncDispose]: server.stop }
})
