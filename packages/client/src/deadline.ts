import type { Clock } from '@orrery/api'

/** A signal of our own that follows a caller's, with a time limit. Disposing it detaches it from both. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  abort(reason: unknown): void
  /** Lifts the time limit; the caller's signal still counts. */
  lift(): void
}

/**
 * Aborts with the caller's reason, or with `onTimeout()` after `timeoutMs`, whichever comes first.
 * Unlike `AbortSignal.any` it leaves nothing behind on a long-lived parent signal, and it keeps the injected clock.
 */
export function createDeadline(options: {
  readonly clock: Clock
  readonly timeoutMs?: number
  readonly onTimeout?: () => Error
  readonly signal?: AbortSignal | undefined
}): Deadline {
  const { clock, timeoutMs, onTimeout, signal: parent } = options
  const controller = new AbortController()
  const follow = () => controller.abort(parent?.reason)
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.schedule(timeoutMs, () =>
          controller.abort(onTimeout?.() ?? new Error(`The time limit of ${timeoutMs} ms is over.`)),
        )
  if (parent?.aborted === true) follow()
  else parent?.addEventListener('abort', follow, { once: true })
  const lift = () => timer?.[Symbol.dispose]()
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    lift,
    [Symbol.dispose]() {
      lift()
      parent?.removeEventListener('abort', follow)
    },
  }
}
