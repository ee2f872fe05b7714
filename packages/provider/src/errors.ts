/**
 * What went wrong outside, in the terms in which the engine acts:
 *
 * - `user`: the request is wrong or not permitted; nothing changes until somebody changes something.
 * - `throttled`: refused for now; not executed.
 * - `transient`: the system cannot be reached or is not ready; not executed.
 * - `conflict`: somebody else holds what is needed (open connections, dependent objects); not executed.
 * - `unknown`: it may have been executed, or may still be.
 */
export type ErrorClass = 'user' | 'throttled' | 'transient' | 'conflict' | 'unknown'

export class ExternalError extends Error {
  override readonly name = 'ExternalError'
  readonly class: ErrorClass
  /** CamelCase, for conditions and events, e.g. `PermissionDenied`. */
  readonly reason: string
  readonly retryAfterMs: number | undefined

  constructor(options: {
    readonly class: ErrorClass
    readonly reason: string
    /** What failed and what the reader can do. Must not hold a secret. */
    readonly message: string
    readonly retryAfterMs?: number
    readonly cause?: unknown
  }) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.class = options.class
    this.reason = options.reason
    this.retryAfterMs = options.retryAfterMs
  }
}

/** The call was refused by the engine itself before anything was sent: the licence had run out. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError'
}
