import type { MeshNode } from '@qmtcode/mesh'
import type { AgentSpec, Logger } from '@qmtcode/protocol'
import type { Config } from '../config/config.ts'
import type { ModelSide } from './models.ts'
import type { RowsSide } from './rows/start-rows.ts'

const LOOK_MS = 3_000 // a model server that starts or ends is seen within this, and the time for which its last word is believed
const RENEW_MS = 30_000
const LOAD_MS = 250 // design §7: load at most this often

interface AdvertisingComponents {
  node: MeshNode
  models: ModelSide
  rows: RowsSide
  agents: readonly AgentSpec[]
  config: Config
  logger: Logger
}

/** Keeps this node's record true: the models and agents it shares now, and how busy it is. */
export function startAdvertising(components: AdvertisingComponents): AsyncDisposable {
  const { node, models, rows, config, logger } = components
  const agents = components.agents.map(({ id, name, description, capabilities }) => ({ id, name, description, capabilities }))
  const stop = new AbortController()
  let running = Promise.resolve()
  let last = { said: '', at: 0 }
  const refresh = (): void => {
    running = running.then(advertise).catch((error: unknown) => logger.warn('cannot tell peers what is offered', { error: String(error) }))
  }
  const advertise = async (): Promise<void> => {
    const offers = await models.shared()
    if (stop.signal.aborted) return
    const advert = { models: offers, agents, labels: config.mesh.labels, sessions: rows.toldCount() }
    // How busy each model is, the load tells.
    const said = JSON.stringify({ ...advert, models: offers.map((offer) => ({ ...offer, inFlight: 0 })) })
    if (said === last.said && performance.now() < last.at + RENEW_MS) return
    node.advertise(advert)
    last = { said, at: performance.now() }
  }
  const refreshing = setInterval(refresh, LOOK_MS).unref()
  const loading = setInterval(() => node.setLoad(models.load()), LOAD_MS).unref()
  refresh()
  const leave = rows.onCount(refresh)
  return {
    [Symbol.asyncDispose]: async () => {
      leave()
      clearInterval(refreshing)
      clearInterval(loading)
      stop.abort()
      await running
    },
  }
}
