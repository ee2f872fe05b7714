import { ApiError, isConflict, isNotFound, isThrottled } from '@orrery/api'
import { TerminalError } from './controller.ts'

/** What an error means for the key it came from. */
export type Failure =
  /** Retrying cannot help; the next change may. */
  | { readonly type: 'terminal' }
  /** The view was behind, or the server busy: retried, and nothing a reader of the log can act on. */
  | { readonly type: 'expected'; readonly minDelayMs: number }
  | { readonly type: 'error'; readonly minDelayMs: number }

/** A conflict or a missing object that comes back this often is no longer a race. */
export const QUIET_ATTEMPTS = 5

export function classify(error: unknown, attempt: number): Failure {
  if (error instanceof TerminalError) return { type: 'terminal' }
  const retryAfterSeconds = error instanceof ApiError ? (error.details?.retryAfterSeconds ?? 0) : 0
  const minDelayMs = Math.min(60, Math.max(0, retryAfterSeconds)) * 1000
  const isRace = isConflict(error) || isNotFound(error) || isThrottled(error)
  return { type: isRace && attempt <= QUIET_ATTEMPTS ? 'expected' : 'error', minDelayMs }
}

/** Logged at the 1st, 2nd, 4th, 8th … attempt: ten thousand failing objects must not drown the log. */
export function isWorthLogging(attempt: number): boolean {
  return (attempt & (attempt - 1)) === 0
}
