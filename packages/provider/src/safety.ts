/**
 * What makes an external effect safe when its outcome is not known: the process died, the answer was
 * lost, or the request may still be on its way. Each effect of each kind declares one of these.
 */
export type Safety =
  /** The external name is unique in the system: a repetition or a late execution cannot make a second thing. */
  | { readonly type: 'name' }
  /**
   * The system honours an idempotency token for `lifetimeMs`; a retry sends the original request. After that
   * `observe` must be able to find, by mark or name, what an unanswered call made.
   */
  | { readonly type: 'token'; readonly lifetimeMs: number }
  /** A mark in the same request, found again by listing; exact within the declared lag and lateness. */
  | { readonly type: 'find'; readonly maxListLagMs: number }
  /** The kind's `fence` makes sure that a late request can no longer happen, e.g. ends the session that ran it. */
  | { readonly type: 'fence' }
  /** Nothing helps: stops in `OutcomeUnknown` and asks through `orrery.dev/settle`. */
  | { readonly type: 'unsafe' }

export type EffectName = 'create' | 'update' | 'delete'

/** An attempt's clocks may differ between the process that made it and the one that settles it. */
export const CLOCK_SKEW_MS = 2_000

/** The durable licence for one external call. Lives in `status.attempt` from before the call until its outcome is recorded. */
export interface Attempt {
  readonly id: string
  readonly effect: EffectName
  /** The normalised request: `forProvider` with references resolved. Secrets appear as keyed hashes only. */
  readonly request: unknown
  /** RFC 3339 with milliseconds. The call is not sent at or after this instant. */
  readonly sendBefore: string
  readonly startedAt: string
  /** `leaseTransitions` of the manager that made it. */
  readonly epoch: number
  /** Idempotency token, for `token` and `find`. */
  readonly token?: string
  /** What a long operation is continued with. */
  readonly handle?: unknown
  /** The outcome is not known; why. Absent while the call is in flight. */
  readonly unknown?: string
}

/** The instant from which nothing that the attempt sent can still take effect. Epoch milliseconds. */
export function lateUntil(attempt: Attempt, maxLateExecutionMs: number): number {
  return Date.parse(attempt.sendBefore) + maxLateExecutionMs + CLOCK_SKEW_MS
}

export type SettleStep =
  /** Look outside: what is there now is the answer. */
  | { readonly type: 'observe' }
  /** Send the original request with the original token again. */
  | { readonly type: 'resend' }
  /** Run the kind's fence, then look. */
  | { readonly type: 'fence' }
  /** Too early to know. */
  | { readonly type: 'wait'; readonly untilMs: number }
  /** Nobody but a person can tell. */
  | { readonly type: 'ask' }

/**
 * How an open attempt is settled. Pure.
 *
 * Updates and deletes are repeated or observed whatever their class, for the desired state is absolute:
 * a late one at worst shows up as drift. Creates need the class.
 */
export function settleStep(input: {
  readonly attempt: Attempt
  readonly safety: Safety
  readonly maxLateExecutionMs: number
  readonly nowMs: number
}): SettleStep {
  const { attempt, safety, nowMs } = input
  const settledFrom = lateUntil(attempt, input.maxLateExecutionMs)
  switch (safety.type) {
    case 'name':
      return { type: 'observe' }
    case 'fence':
      // The call may still be about to be sent by a process that is paused; its own check ends that at sendBefore.
      return nowMs < Date.parse(attempt.sendBefore) + CLOCK_SKEW_MS
        ? { type: 'wait', untilMs: Date.parse(attempt.sendBefore) + CLOCK_SKEW_MS }
        : { type: 'fence' }
    case 'token': {
      if (attempt.effect !== 'create') return { type: 'observe' }
      const expires = Date.parse(attempt.startedAt) + safety.lifetimeMs - CLOCK_SKEW_MS
      // Also to delete: only the answer names what is to be deleted, and the token keeps it from being a second one.
      if (nowMs < expires) return { type: 'resend' }
      return nowMs < settledFrom ? { type: 'wait', untilMs: settledFrom } : { type: 'observe' }
    }
    case 'find': {
      if (attempt.effect !== 'create') return { type: 'observe' }
      const visible = settledFrom + safety.maxListLagMs
      return nowMs < visible ? { type: 'wait', untilMs: visible } : { type: 'observe' }
    }
    case 'unsafe':
      return attempt.effect === 'create' || attempt.effect === 'update' ? { type: 'ask' } : { type: 'observe' }
  }
}
