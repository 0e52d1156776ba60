import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { toWireError } from '@qmtcode/protocol/errors'
import type { WireError } from '@qmtcode/protocol'
import { openStore } from './store.ts'
import type { Store, StoreCall, StoreResult } from './store.ts'
import type { EventLogOptions, StoreMethod } from './types.ts'

/** To the thread: calls, or `close` after all before it. */
export type ToWorker = { calls: NumberedCall[] } | { close: true }
export interface NumberedCall extends StoreCall {
  id: number
}
/** From the thread: first `opened` or `failed`, then replies, last `closed`. */
export type FromWorker = { opened: true } | { failed: WireError } | { replies: Reply[] } | { closed: true }
export type Reply = { id: number; value: unknown } | { id: number; error: WireError }

const WRITES: ReadonlySet<StoreMethod> = new Set(['create', 'fork', 'append', 'remove'])

/**
 * Group commit without a timer: what arrives while one transaction is being synced is the next transaction.
 * So a lone writer waits for nobody, and sixteen share one sync.
 */
function serve(store: Store, port: MessagePort, post: (message: FromWorker) => void): void {
  let pending: NumberedCall[] = []
  const flush = (): void => {
    const batch = pending
    pending = []
    if (batch.length === 0) return
    const results = store.commit(batch)
    post({ replies: batch.map(({ id }, i) => toReply(id, results[i])) })
  }
  const read = (call: NumberedCall): void => {
    try {
      post({ replies: [{ id: call.id, value: store.run(call) }] })
    } catch (error) {
      post({ replies: [{ id: call.id, error: toWireError(error) }] })
    }
  }
  port.on('message', (message: ToWorker) => {
    if ('close' in message) {
      flush()
      store.close()
      post({ closed: true })
      port.close()
      return
    }
    for (const call of message.calls) {
      if (!WRITES.has(call.method)) read(call)
      else if (pending.push(call) === 1) setImmediate(flush)
    }
  })
}

function toReply(id: number, result: StoreResult | undefined): Reply {
  if (result === undefined) throw new Error(`no result for call ${id}`)
  return 'error' in result ? { id, error: toWireError(result.error) } : { id, value: result.value }
}

if (parentPort) {
  const port = parentPort
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  const post = (message: FromWorker): void => port.postMessage(message)
  try {
    const store = openStore(workerData as EventLogOptions)
    serve(store, port, post)
    post({ opened: true })
  } catch (error) {
    post({ failed: toWireError(error) })
    port.close()
  }
}
