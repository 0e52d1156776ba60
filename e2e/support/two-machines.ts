import { createMachine, startHost } from './qmt.ts'
import type { Machine, Running } from './qmt.ts'

/** A laptop without any key, and a server that shares the models of its provider `rack` with it. */
export interface TwoMachines extends AsyncDisposable {
  laptop: Machine
  server: Machine
  /** The server's running node. */
  node: Running
  address: string
  peerId: string
}

export interface TwoMachinesOptions {
  /** Base URL of the server's model server. */
  url: string
  apiKey?: string
  /** What the server shares. Default: all models. */
  models?: string[]
  /** Tables added to the server's configuration. */
  server?: string
  /** Tables added to the laptop's configuration. */
  laptop?: string
}

export async function startTwoMachines(options: TwoMachinesOptions): Promise<TwoMachines> {
  await using starting = new AsyncDisposableStack()
  const laptop = starting.use(await createMachine())
  const server = starting.use(await createMachine({ RACK_KEY: options.apiKey ?? 'no-secret' }))
  const guest = await laptop.peerId()
  const { node, address, peerId } = await startHost(server, {
    guest,
    models: options.models,
    config: `${rack(options.url)}${options.server ?? ''}`,
  })
  await laptop.writeConfig(laptopConfig(address, options.laptop))
  const started = starting.move()
  return { laptop, server, node, address, peerId, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

const rack = (url: string): string => `
[providers.rack]
kind = "openai-compatible"
base_url = "${url}"
api_key = "\${RACK_KEY}"
`

/** A laptop that knows the server by address, and nothing else. */
export const guestConfig = (address: string): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "laptop"
[[mesh.peers]]
name = "gpu-server"
addr = "${address}"
`

export const laptopConfig = (address: string, more = ''): string => `${guestConfig(address)}
[[delegates]]
id = "gpu-coder"
provider = "rack"
model = "scripted"
description = "Coder that thinks on the GPU machine"
peer = "gpu-server"
${more}`
