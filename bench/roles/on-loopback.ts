import { Server } from 'node:net'
import type { AddressInfo } from 'node:net'

/**
 * Preloaded (`--import`) into a program that would listen on every interface and cannot be told otherwise:
 * it listens on a free loopback port instead and says which.
 */
const { listen } = Server.prototype
let isMoved = false
Server.prototype.listen = function (this: Server, ...given: unknown[]): Server {
  if (isMoved) return Reflect.apply(listen, this, given) as Server
  isMoved = true
  const listening = given.findLast((argument) => typeof argument === 'function') as (() => void) | undefined
  if (listening) this.once('listening', listening)
  this.once('listening', () => process.stdout.write(`loopback port: ${(this.address() as AddressInfo).port}\n`))
  return listen.call(this, { port: 0, host: '127.0.0.1' })
}
