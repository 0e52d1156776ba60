import { createMachine, startHost } from './qmt.ts'
import type { Machine } from './qmt.ts'
import { guestConfig } from './two-machines.ts'

/** A server that shares its workspace and its agents with a laptop, which runs commands only. */
export interface SharedWorkspace extends AsyncDisposable {
  laptop: Machine
  server: Machine
}

/** `share`: further keys of the server's `[mesh.share]`. Its default agent is the built-in one. */
export async function shareWorkspace(share = ''): Promise<SharedWorkspace> {
  await using starting = new AsyncDisposableStack()
  const laptop = starting.use(await createMachine())
  const server = starting.use(await createMachine())
  const { address } = await startHost(server, {
    guest: await laptop.peerId(),
    share: `agents = ["*"]\nworkspaces = ["${server.workspace}"]\n${share}`,
    config: '[agent]\nprovider = "builtin"\nmodel = "demo"\n',
  })
  await laptop.writeConfig(guestConfig(address))
  const started = starting.move()
  return { laptop, server, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
