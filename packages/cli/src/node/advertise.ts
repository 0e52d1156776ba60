import type { MeshNode } from '@qmtcode/mesh'
import type { Logger } from '@qmtcode/protocol'
import type { Config } from '../config/config.ts'
import type { ModelSide } from './models.ts'

const REFRESH_MS = 30_000 // a model server that starts later is seen within this
const LOAD_MS = 250 // design §7: load at most this often

/** Keeps this node's record true: the models it shares now, and how busy it is. */
export function startAdvertising(components: { node: MeshNode; models: ModelSide; config: Config; logger: Logger }): AsyncDisposable {
  const { node, models, config, logger } = components
  const stop = new AbortController()
  let running = Promise.resolve()
  const refresh = (): void => {
    running = advertise().catch((error: unknown) => logger.warn('cannot tell peers what is offered', { error: String(error) }))
  }
  const advertise = async (): Promise<void> => {
    const offers = await models.shared()
    if (stop.signal.aborted) return
    node.advertise({ models: offers, agents: [], labels: config.mesh.labels, sessions: 0 })
  }
  const refreshing = setInterval(refresh, REFRESH_MS).unref()
  const loading = setInterval(() => node.setLoad(models.load()), LOAD_MS).unref()
  refresh()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(refreshing)
      clearInterval(loading)
      stop.abort()
      await running
    },
  }
}
