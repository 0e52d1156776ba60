// Sockets inside a lab's host, ordered by lines of JSON on stdin. Prints lines of JSON: `{ id, result }` for an order, `{ from, text }` for a datagram.
import { createSocket } from 'node:dgram'
import { createConnection, createServer } from 'node:net'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Order } from './probe.ts'

const udp = createSocket('udp4')
const say = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`)

udp.on('error', () => {}) // a refusal is silence to who does not wait for it
udp.on('message', (data, from) => say({ from: `${from.address}:${from.port}`, text: String(data) }))

function obey(order: Order): Promise<string> {
  return new Promise((resolve) => {
    switch (order.do) {
      case 'bind':
        udp.bind(order.port, () => resolve('bound'))
        break
      case 'send':
        udp.send(order.text ?? '', order.port, order.address, () => resolve('sent'))
        break
      case 'listen':
        createServer((socket) => socket.on('error', () => {}).end('hello')).listen(order.port, () => resolve('listening'))
        break
      case 'connect': {
        const socket = createConnection({ host: order.address, port: order.port, timeout: order.timeoutMs })
        const end = (how: string): void => {
          resolve(how)
          socket.destroy()
        }
        socket.on('connect', () => end('connected')).on('timeout', () => end('silence'))
        socket.on('error', (error) => end((error as NodeJS.ErrnoException).code ?? error.message))
        break
      }
    }
  })
}

const orders = createInterface({ input: process.stdin })
orders.on('line', (line) => {
  const order = JSON.parse(line) as Order
  obey(order).then(
    (result) => say({ id: order.id, result }),
    () => process.exit(1),
  )
})
orders.on('close', () => process.exit(0))
