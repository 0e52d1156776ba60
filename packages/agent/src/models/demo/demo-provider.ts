import { AppError } from '@qmtcode/protocol'
import { BUILTIN_PROVIDER } from '../providers/known-providers.ts'
import type { Provider } from '../providers/provider.ts'
import { redact } from '../redact.ts'
import { createDemoModel } from './demo-model.ts'
import type { DemoOptions } from './demo-model.ts'

/** `builtin/demo`: anyone can try the mesh without a key. It is used only when named. */
export function createDemoProvider(options: DemoOptions = {}): Provider {
  return {
    name: BUILTIN_PROVIDER,
    title: 'built in',
    kind: BUILTIN_PROVIDER,
    baseUrl: undefined,
    keySource: undefined,
    isConfigured: true,
    problem: () => undefined,
    async open(model, callOptions) {
      if (model === 'demo') return (await createDemoModel(options).doStream(callOptions)).stream
      throw new AppError('model_unavailable', `builtin has no model "${model}"`, { hint: 'its only one is builtin/demo' })
    },
    listModels: () => Promise.resolve(['demo']),
    redact: (text) => redact(text),
  }
}
