import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RpcClient, ServedContract } from '@qmtcode/mesh'
import { silentLogger, systemClock } from '@qmtcode/protocol'
import { connectLocal } from '../../packages/cli/src/local/local-client.ts'
import { startLocalServer } from '../../packages/cli/src/local/local-server.ts'

/** The product's own local API over a real unix socket: who serves, and callers of it. */
export interface LocalSocket extends AsyncDisposable {
  connect(): RpcClient
}

export async function openLocalSocket(services: readonly ServedContract[]): Promise<LocalSocket> {
  const directory = await mkdtemp(join(tmpdir(), 'qmt-socket-'))
  const path = join(directory, 'node.sock')
  const server = await startLocalServer({ clock: systemClock, log: silentLogger, services: () => services }, path)
  const clients: RpcClient[] = []
  return {
    connect() {
      const client = connectLocal(path)
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.stop()
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
