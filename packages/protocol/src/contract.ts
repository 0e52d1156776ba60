import type { z } from 'zod'
import type { PeerId } from './ids.ts'

/**
 * A service as a table of zod schemas. The same table types the caller, the handler and the wire.
 * The protocol id of a contract is `/qmt/<service>/<version>`: a change that old nodes cannot parse is a new version.
 */
export interface Contract<Methods extends MethodTable = MethodTable> {
  service: string
  version: number
  methods: Methods
}
export type MethodTable = Record<string, Method>
export type Method = UnaryMethod | StreamMethod

export interface UnaryMethod<In extends z.ZodType = z.ZodType, Out extends z.ZodType = z.ZodType> {
  kind: 'unary'
  input: In
  output: Out
}
export interface StreamMethod<In extends z.ZodType = z.ZodType, Item extends z.ZodType = z.ZodType> {
  kind: 'stream'
  input: In
  item: Item
}

export const unary = <In extends z.ZodType, Out extends z.ZodType>(input: In, output: Out): UnaryMethod<In, Out> => ({
  kind: 'unary',
  input,
  output,
})
export const stream = <In extends z.ZodType, Item extends z.ZodType>(input: In, item: Item): StreamMethod<In, Item> => ({
  kind: 'stream',
  input,
  item,
})

export function defineContract<const Methods extends MethodTable>(service: string, version: number, methods: Methods): Contract<Methods> {
  return { service, version, methods }
}

export const protocolIdOf = (contract: Contract): string => `/qmt/${contract.service}/${contract.version}`

export interface CallOptions {
  signal?: AbortSignal
  /** Bound of a unary call, in milliseconds. Default: the link's request timeout (300 s). */
  timeoutMs?: number
}

/** What a handler knows of a call. `peerId` is the authenticated one; undefined for the same user's local socket. */
export interface CallContext {
  signal: AbortSignal
  peerId?: PeerId
  /** Id that follows a call across hops, for logs and traces. */
  trace: string
}

/** How a caller sees a contract. A stream throws the AppError that ended it. */
export type ContractClient<C extends Contract> = {
  [Name in keyof C['methods']]: C['methods'][Name] extends UnaryMethod<infer In, infer Out>
    ? (input: z.input<In>, options?: CallOptions) => Promise<z.output<Out>>
    : C['methods'][Name] extends StreamMethod<infer In, infer Item>
      ? (input: z.input<In>, options?: CallOptions) => AsyncIterable<z.output<Item>>
      : never
}

/** What a host gives. Its input is parsed; what it throws crosses as its AppError. */
export type ContractHandlers<C extends Contract> = {
  [Name in keyof C['methods']]: C['methods'][Name] extends UnaryMethod<infer In, infer Out>
    ? (input: z.output<In>, context: CallContext) => Promise<z.input<Out>>
    : C['methods'][Name] extends StreamMethod<infer In, infer Item>
      ? (input: z.output<In>, context: CallContext) => AsyncIterable<z.input<Item>>
      : never
}
