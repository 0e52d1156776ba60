import type { CircuitRelayServerComponents } from '@libp2p/circuit-relay-v2'
import type { Connection, Stream } from '@libp2p/interface'

type Registrar = CircuitRelayServerComponents['registrar']

/** Takes a stream, or resets it before anything of it is read. */
export type Guard = (stream: Stream, connection: Connection, accept: () => void | Promise<void>) => void | Promise<void>

/** `components` with some of them replaced. libp2p's own are behind a proxy: they cannot be spread. */
export function overlay<Components extends object>(components: Components, replaced: Partial<Components>): Components {
  return new Proxy(components, {
    get: (target, key) => Reflect.get(Object.hasOwn(replaced, key) ? replaced : target, key) as unknown,
  })
}

/** A registrar whose handlers see only streams that `guard` accepts. */
export function guardedRegistrar(registrar: Registrar, guard: Guard): Registrar {
  return new Proxy(registrar, {
    get(target, key) {
      if (key === 'handle') {
        const handle: Registrar['handle'] = async (protocol, handler, options) =>
          await target.handle(protocol, (stream, connection) => guard(stream, connection, () => handler(stream, connection)), options)
        return handle
      }
      const value = Reflect.get(target, key) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
