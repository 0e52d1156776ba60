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

/** A timer that fires so late was not run by a process that stood still: stopped by a signal, a laptop that slept, a paused machine. */
const STOOD_STILL_MS = 500
/** What came meanwhile lies in the socket, or comes again over a link that must be found dead first. */
const MAX_SECOND_LOOK_MS = 10_000

export function createStreamWatch(outer: AbortSignal | undefined, timedOut: () => AppError): StreamWatch {
  const controller = new AbortController()
  let reason: AppError | undefined
  let fail: ((error: AppError) => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let armedMs = 0
  let armedAt = 0
  let lapsed = false
  let ended = false

  const leave = (error: AppError): void => {
    if (reason) return
    reason = error
    controller.abort(error)
    fail?.(error)
  }
  const onAbort = (): void => leave(cancelled(outer))
  const strike = (): void => {
    const late = performance.now() - armedAt - armedMs
    if (late > STOOD_STILL_MS) return start(Math.min(armedMs, MAX_SECOND_LOOK_MS))
    // Timers run before sockets are read: what lies there is read before anybody is called silent.
    const at = armedAt
    setImmediate(() => {
      if (at !== armedAt || ended) return
      if (fail) leave(timedOut())
      else lapsed = true
    })
  }
  const start = (ms: number): void => {
    armedAt = performance.now()
    if (timer && ms === armedMs) {
      timer.refresh()
      return
    }
    clearTimeout(timer)
    armedMs = ms
    timer = setTimeout(strike, ms)
  }
  if (outer?.aborted) onAbort()
  else outer?.addEventListener('abort', onAbort, { once: true })

  return {
    signal: controller.signal,
    reason: () => reason,
    arm(ms) {
      lapsed = false
      start(ms)
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
        start(armedMs)
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
      ended = true
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
