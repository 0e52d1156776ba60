import { AppError, isAppError, newId, protocolIdOf, silentLogger, systemClock, toAppError } from '@qmtcode/protocol'
import type { CallOptions, Clock, Contract, ContractClient, Logger, Method } from '@qmtcode/protocol'
import { createCancellation } from './cancellation.ts'
import type { Cancellation } from './cancellation.ts'
import type { OutgoingCall } from './outgoing-call.ts'
import { createPool } from './pool.ts'
import type { OpenStream, Pool, PoolOptions } from './pool.ts'
import type { EndedCall, RpcClient } from './types.ts'
import { encodeValue } from './values.ts'

const DEFAULT_TIMEOUT_MS = 300_000
const MAX_ATTEMPTS = 3

export interface RpcClientOptions extends PoolOptions {
  /** Bound of a unary call. Default: 300 s. */
  requestTimeoutMs?: number
  /** Within this a frame that has begun must end. Default: 30 s. */
  frameTimeoutMs?: number
}

export interface RpcClientComponents {
  open: OpenStream
  clock?: Clock
  log?: Logger
  /** Hears of each call once, when it is over. Must not throw. */
  onCall?(call: EndedCall): void
}

interface MethodCall {
  service: string
  protocolId: string
  name: string
  method: Method
  input: unknown
}
interface Started {
  call: OutgoingCall
  first: IteratorResult<unknown, undefined>
}

/** Calls to one peer. Outputs are parsed with the contract's schemas; inputs are the host's to judge. */
export function createRpcClient(components: RpcClientComponents, options: RpcClientOptions = {}): RpcClient {
  const { open, clock = systemClock, log = silentLogger, onCall } = components
  const { requestTimeoutMs = DEFAULT_TIMEOUT_MS, frameTimeoutMs } = options
  const counters = { bytesIn: 0, bytesOut: 0 }
  let answersAwaited = 0
  const pool = createPool({ open, clock, counters, frameTimeoutMs }, options)

  const unary = async (methodCall: MethodCall, callOptions: CallOptions = {}): Promise<unknown> => {
    const ended = createCallEnd(methodCall, { clock, onCall })
    const what = `${methodCall.protocolId} ${methodCall.name}`
    answersAwaited += 1
    const cancellation = createCancellation(callOptions.signal, { ms: callOptions.timeoutMs ?? requestTimeoutMs, what })
    try {
      const { call, first } = await begin(pool, methodCall, cancellation, ended)
      if (first.done) throw unexpected(methodCall, 'it ended without an answer')
      const end = await call.next()
      if (end.done) {
        ended.tell('ok')
        return first.value
      }
      const error = unexpected(methodCall, 'it answered twice')
      call.cancel(error)
      throw error
    } catch (error) {
      log.debug('rpc call failed', { what, error })
      ended.tell(toAppError(error).code)
      throw error
    } finally {
      answersAwaited -= 1
      cancellation.dispose()
    }
  }
  const methodFn = (protocolId: string, name: string, method: Method) => (input: unknown, callOptions?: CallOptions) => {
    const methodCall: MethodCall = { service: serviceOf(protocolId), protocolId, name, method, input }
    if (method.kind === 'unary') return unary(methodCall, callOptions)
    return items({ pool, clock, onCall }, methodCall, callOptions?.signal)
  }
  return {
    client<C extends Contract>(contract: C): ContractClient<C> {
      const protocolId = protocolIdOf(contract)
      const methods = Object.entries(contract.methods).map(([name, method]) => [name, methodFn(protocolId, name, method)])
      return Object.fromEntries(methods) as ContractClient<C>
    },
    warm: (contract, count) => pool.warm(protocolIdOf(contract), count),
    stats() {
      const { streams, idle, queued, inUse } = pool.stats()
      return { streams, idleStreams: idle, callsInFlight: inUse, queuedCalls: queued, ...counters }
    },
    answersAwaited: () => answersAwaited,
    stop: (reason) => pool.stop(reason ? toAppError(reason) : new AppError('link_lost', 'the link to this peer was stopped')),
  }
}

/** Starts a call and waits for its first item. Again on another stream when this one died before anything of the call left. */
async function begin(pool: Pool, methodCall: MethodCall, cancellation: Cancellation, ended: CallEnd): Promise<Started> {
  const params = encodeValue(methodCall.input)
  const trace = newId('tr')
  for (let attempt = 1; ; attempt += 1) {
    const stream = await pool.acquire(methodCall.protocolId, cancellation)
    const call = stream.start({ method: methodCall.name, trace, params, parse: (raw) => parseOutput(methodCall, raw) })
    ended.began(call, trace)
    cancellation.listen((reason) => call.cancel(reason))
    try {
      return { call, first: await call.next() }
    } catch (error) {
      if (call.wasSent() || attempt === MAX_ATTEMPTS || !isAppError(error, 'link_lost') || cancellation.reason()) throw error
    }
  }
}

/** A call for each iteration. Leaving the loop early cancels it. */
function items(
  { pool, ...ending }: { pool: Pool } & EndComponents,
  methodCall: MethodCall,
  signal: AbortSignal | undefined,
): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
      const cancellation = createCancellation(signal)
      const ended = createCallEnd(methodCall, ending)
      let call: OutgoingCall | undefined
      let isStarted = false
      const first = async (): Promise<IteratorResult<unknown, undefined>> => {
        if (isStarted) throw new AppError('internal', 'next() while the first next() is under way, or after it failed')
        isStarted = true
        const started = await begin(pool, methodCall, cancellation, ended).catch((error: unknown) => {
          cancellation.dispose()
          ended.tell(toAppError(error).code)
          throw error
        })
        call = started.call
        call.onOver((error) => {
          cancellation.dispose()
          ended.tell(error?.code ?? 'ok')
        })
        return started.first
      }
      return {
        next: () => (call ? call.next() : first()),
        return() {
          cancellation.cancel(new AppError('cancelled', 'the reader left'))
          cancellation.dispose()
          return Promise.resolve({ done: true, value: undefined })
        },
      }
    },
  }
}

type EndComponents = Pick<RpcClientComponents, 'onCall'> & { clock: Clock }
type CallEnd = ReturnType<typeof createCallEnd>

/** Watches a call over its attempts, and tells once how it ended. */
function createCallEnd({ service, name, input }: MethodCall, { clock, onCall }: EndComponents) {
  const begunAt = clock.monotonic()
  let attempt: { call: OutgoingCall; trace: string } | undefined
  let isTold = false
  return {
    began(call: OutgoingCall, trace: string): void {
      attempt = { call, trace }
    },
    tell(outcome: EndedCall['outcome']): void {
      if (isTold) return
      isTold = true
      const { bytesIn = 0, bytesOut = 0 } = attempt?.call.bytes() ?? {}
      onCall?.({ service, method: name, input, trace: attempt?.trace, outcome, ms: clock.monotonic() - begunAt, bytesIn, bytesOut })
    },
  }
}

/** `/qmt/<service>/<version>`. */
const serviceOf = (protocolId: string): string => protocolId.split('/')[2] ?? protocolId

function parseOutput(methodCall: MethodCall, raw: unknown): unknown {
  const { method } = methodCall
  const result = (method.kind === 'unary' ? method.output : method.item).safeParse(raw)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw unexpected(methodCall, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`)
}

const unexpected = ({ protocolId, name }: MethodCall, what: string): AppError =>
  new AppError('unsupported', `the peer's answer to ${protocolId} ${name} is not what this version understands: ${what}`, {
    hint: 'do both nodes run the same version of qmtcode?',
  })
