import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

const FROM = 20_000
const BELOW = 32_000 // where the systems' own choice of ports begins: Linux 32768, others 49152

/** A free TCP port for a node that comes back to it: while it is away, nobody who asks for any port is given this one. */
export async function lastingPort(): Promise<number> {
  for (;;) {
    const port = randomInt(FROM, BELOW)
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
