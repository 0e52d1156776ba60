import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import type { Host } from './types.ts'

/** Plain sockets on a host, to see what its network lets through. Ends with the lab. */
export interface Probe {
  /** Opens the UDP port that `send` leaves from. */
  bind(port: number): Promise<string>
  send(address: string, port: number, text: string): Promise<string>
  /** The next datagram with this text: where it came from, as seen there. Undefined: none within `ms` (300). */
  heard(text: string, ms?: number): Promise<string | undefined>
  /** Answers TCP on a port. */
  listen(port: number): Promise<string>
  /** `connected`, `silence`, or the system's code. */
  connect(address: string, port: number, timeoutMs?: number): Promise<string>
}

export interface Order {
  id: number
  do: 'bind' | 'send' | 'listen' | 'connect'
  port: number
  address?: string
  text?: string
  timeoutMs?: number
}

const WORKER = fileURLToPath(new URL('probe-worker.ts', import.meta.url))

export function openProbe(host: Host): Probe {
  const child = host.spawn(process.execPath, [WORKER], { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers = new Map<number, (result: string) => void>()
  const datagrams: { from: string; text: string }[] = []
  const bells = new Set<() => void>()
  let ids = 0
  if (!child.stdout) throw new Error('the probe has no stdout')
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as { id: number; result: string } | { from: string; text: string }
    if ('id' in said) answers.get(said.id)?.(said.result)
    else datagrams.push(said)
    for (const bell of bells) bell()
  })
  const order = (what: Omit<Order, 'id'>): Promise<string> =>
    new Promise((resolve) => {
      ids += 1
      answers.set(ids, resolve)
      child.stdin?.write(`${JSON.stringify({ id: ids, ...what })}\n`)
    })
  return {
    bind: (port) => order({ do: 'bind', port }),
    send: (address, port, text) => order({ do: 'send', address, port, text }),
    listen: (port) => order({ do: 'listen', port }),
    connect: (address, port, timeoutMs = 500) => order({ do: 'connect', address, port, timeoutMs }),
    heard: (wanted, ms = 300) =>
      new Promise((resolve) => {
        const end = (from?: string): void => {
          clearTimeout(timer)
          bells.delete(look)
          resolve(from)
        }
        const look = (): void => {
          const found = datagrams.find(({ text }) => text === wanted)
          if (found) end(found.from)
        }
        const timer = setTimeout(end, ms)
        bells.add(look)
        look()
      }),
  }
}
