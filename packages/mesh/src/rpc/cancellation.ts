import { AppError } from '@qmtcode/protocol'

/** Why a call must stop: its caller's signal, or its time. One listener, so that a call costs one timer at most. */
export interface Cancellation {
  /** Set once cancelled. */
  reason(): AppError | undefined
  /** Replaces the listener; called at once when already cancelled. */
  listen(listener: (reason: AppError) => void): void
  cancel(reason: AppError): void
  /** The call is over: nothing fires any more. */
  dispose(): void
}

export function createCancellation(signal: AbortSignal | undefined, timeout?: { ms: number; what: string }): Cancellation {
  let reason: AppError | undefined
  let listener: ((reason: AppError) => void) | undefined

  const dispose = (): void => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    listener = undefined
  }
  const cancel = (why: AppError): void => {
    if (reason) return
    reason = why
    const heard = listener
    dispose()
    heard?.(why)
  }
  const onAbort = (): void => cancel(reasonOf(signal))
  const timer = timeout && setTimeout(() => cancel(timedOut(timeout)), timeout.ms)
  if (signal?.aborted) cancel(reasonOf(signal))
  else signal?.addEventListener('abort', onAbort, { once: true })
  return {
    reason: () => reason,
    listen(next) {
      if (reason) next(reason)
      else listener = next
    },
    cancel,
    dispose,
  }
}

function reasonOf(signal: AbortSignal | undefined): AppError {
  const cause: unknown = signal?.reason
  if (cause instanceof AppError) return cause
  const isTimeout = cause instanceof Error && cause.name === 'TimeoutError'
  return new AppError(isTimeout ? 'timeout' : 'cancelled', isTimeout ? 'the call took too long' : 'the call was cancelled', { cause })
}

const timedOut = ({ ms, what }: { ms: number; what: string }): AppError =>
  new AppError('timeout', `no answer to ${what} within ${ms / 1_000} s`)
