import { Worker } from 'node:worker_threads'
import { AppError, fromWireError } from '@qmtcode/protocol'
import type { FromWorker, NumberedCall, ToWorker } from './log-worker.ts'
import type { EventLogOptions, StoreMethod, StoreMethods } from './types.ts'

/** The store from the main thread: calls in order, replies by number. */
export interface WorkerClient {
  /** Resolves when the file is open. */
  opened: Promise<void>
  call<M extends StoreMethod>(method: M, ...args: Parameters<StoreMethods[M]>): Promise<ReturnType<StoreMethods[M]>>
  /** Finishes what was asked for, closes the file, ends the thread. */
  close(): Promise<void>
}

interface Waiter {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** The thread passes events on and keeps none: V8's default of 48 MB would only fill with garbage. */
const YOUNG_MB = 4

const workerFile = `./log-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`

export function createWorkerClient(options: EventLogOptions): WorkerClient {
  const worker = new Worker(new URL(workerFile, import.meta.url), {
    workerData: options,
    name: 'session-log',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  })
  const waiting = new Map<number, Waiter>()
  const open = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  let lastId = 0
  let outbox: NumberedCall[] = []
  let failure: AppError | undefined

  const fail = (error: AppError): void => {
    failure ??= error
    open.reject(failure)
    for (const waiter of waiting.values()) waiter.reject(failure)
    waiting.clear()
  }
  worker.on('message', (message: FromWorker) => {
    if ('opened' in message) open.resolve()
    else if ('failed' in message) fail(fromWireError(message.failed))
    else if ('replies' in message) {
      for (const reply of message.replies) {
        const waiter = waiting.get(reply.id)
        waiting.delete(reply.id)
        if ('error' in reply) waiter?.reject(fromWireError(reply.error))
        else waiter?.resolve(reply.value)
      }
    }
  })
  worker.on('error', (cause) => fail(new AppError('internal', `the session log ${options.file} failed: ${cause.message}`, { cause })))
  worker.on('exit', () => {
    fail(new AppError('interrupted', `the session log ${options.file} is closed`))
    ended.resolve()
  })
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  const send = (message: ToWorker): void => worker.postMessage(message)
  const flush = (): void => {
    const calls = outbox
    outbox = []
    if (calls.length > 0) send({ calls })
  }

  return {
    opened: open.promise,
    call: async (method, ...args) => {
      if (failure) throw failure
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      lastId += 1
      waiting.set(lastId, { resolve, reject })
      if (outbox.push({ id: lastId, method, args }) === 1) queueMicrotask(flush)
      return (await promise) as ReturnType<StoreMethods[typeof method]>
    },
    close: async () => {
      flush()
      send({ close: true })
      await ended.promise
    },
  }
}
