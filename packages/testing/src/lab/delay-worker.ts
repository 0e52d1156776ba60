// Carries a slow cable's packets between two UDP ports, each after a delay. argv: address, then ports: host's in, LAN's in, host's out, LAN's out.
// A line on stdin is the new delay in ms; 'ready' is printed once both ports are open.
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'

const [far = '', ...ports] = process.argv.slice(2)
const [hostIn = 0, lanIn = 0, hostOut = 0, lanOut = 0] = ports.map(Number)
const MAX_WAITING = 1_000 // packets, as netem's own limit
let delayMs = 0

async function open(port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4_194_304 })
  socket.bind(port)
  await once(socket, 'listening')
  return socket
}

function carry(from: Socket, out: Socket, port: number): void {
  let waiting = 0
  from.on('message', (packet) => {
    if (waiting >= MAX_WAITING) return
    waiting += 1
    const pass = (): void => {
      waiting -= 1
      out.send(packet, port, far)
    }
    if (delayMs === 0) pass()
    else setTimeout(pass, delayMs)
  })
}

const [host, lan] = await Promise.all([open(hostIn), open(lanIn)])
carry(host, lan, lanOut)
carry(lan, host, hostOut)
const orders = createInterface({ input: process.stdin })
orders.on('line', (line) => {
  delayMs = Number(line)
  process.stdout.write('set\n')
})
orders.on('close', () => process.exit(0))
process.stdout.write('ready\n')
