import { AppError } from '@qmtcode/protocol'

/** The one timer and the one way out of a model call. */
export interface StreamWatch {
  /** For the source: aborts with the reason. */
  readonly signal: AbortSignal
  /** Why the call was left; undefined while it runs. */
  reason(): AppError | undefined
  /** Starts the timer anew. It strikes only while `first` waits: a slow reader is not the model's silence. */
  arm(ms: number): void
  /** `promise`, or the reason to leave, whichever is first. */
  first<T>(promise: Promise<T>): Promise<T>
  /** Lets go of timer and signal; `abort` also ends the source. */
  end(options: { abort: boolean }): void
}

export function createStreamWatch(outer: AbortSignal | undefined, timedOut: () => AppError): StreamWatch {
  const controller = new AbortController()
  let reason: AppError | undefined
  let fail: ((error: AppError) => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let armedMs = 0
  let lapsed = false

  const leave = (error: AppError): void => {
    if (reason) return
    reason = error
    controller.abort(error)
    fail?.(error)
  }
  const onAbort = (): void => leave(cancelled(outer))
  const strike = (): void => {
    if (fail) leave(timedOut())
    else lapsed = true
  }
  if (outer?.aborted) onAbort()
  else outer?.addEventListener('abort', onAbort, { once: true })

  return {
    signal: controller.signal,
    reason: () => reason,
    arm(ms) {
      lapsed = false
      if (timer && ms === armedMs) {
        timer.refresh()
        return
      }
      clearTimeout(timer)
      armedMs = ms
      timer = setTimeout(strike, ms)
    },
    // Not Promise.race: it would keep every part alive until the one long-lived promise settles.
    // oxlint-disable-next-line typescript/promise-function-async -- an async function would cost two turns for each token
    first<T>(promise: Promise<T>): Promise<T> {
      if (reason) {
        promise.catch(() => {})
        return Promise.reject(reason)
      }
      if (lapsed) {
        lapsed = false
        timer?.refresh()
      }
      return new Promise<T>((resolve, reject) => {
        fail = reject
        promise.then(
          (value) => {
            fail = undefined
            resolve(value)
          },
          (error: unknown) => {
            fail = undefined
            reject(error)
          },
        )
      })
    },
    end({ abort }) {
      clearTimeout(timer)
      outer?.removeEventListener('abort', onAbort)
      if (abort) controller.abort(reason)
    },
  }
}

function cancelled(signal: AbortSignal | undefined): AppError {
  const reason: unknown = signal?.reason
  return reason instanceof AppError ? reason : new AppError('cancelled', 'the model call was cancelled', { cause: reason })
}
