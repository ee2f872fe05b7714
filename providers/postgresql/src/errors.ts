import type { ErrorClass } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'
import pg from 'pg'

/** What PostgreSQL's SQLSTATEs mean for us. The first matching prefix counts. */
const STATES: readonly (readonly [prefix: string, errorClass: ErrorClass, reason: string])[] = [
  ['28', 'user', 'InvalidCredentials'],
  ['42501', 'user', 'PermissionDenied'],
  ['42710', 'conflict', 'AlreadyExists'],
  ['42P04', 'conflict', 'AlreadyExists'],
  ['42P06', 'conflict', 'AlreadyExists'],
  ['55006', 'conflict', 'InUse'],
  ['2BP01', 'conflict', 'DependentObjects'],
  ['3D000', 'conflict', 'DatabaseMissing'],
  ['53300', 'throttled', 'TooManyConnections'],
  ['53', 'transient', 'OutOfResources'],
  ['57P03', 'transient', 'ServerStarting'],
  ['57P', 'unknown', 'ServerStopped'],
  ['57014', 'unknown', 'Cancelled'],
  ['08', 'unknown', 'ConnectionLost'],
  ['40', 'transient', 'Serialization'],
  ['25006', 'transient', 'ReadOnly'],
  ['58', 'transient', 'ServerFault'],
  ['XX000', 'transient', 'ServerFault'],
]

/** SQLSTATE of an error that a server answered, or undefined. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/**
 * Translates what `pg` throws. `sent` tells whether the statement may have reached the server: then a broken
 * connection means that the outcome is unknown, and before it that nothing happened.
 */
export function externalError(
  error: unknown,
  options: { readonly sent: boolean; readonly doing: string },
): ExternalError {
  if (error instanceof ExternalError) return error
  const state = sqlState(error)
  if (state === undefined) {
    const detail = error instanceof Error ? describe(error) : 'the connection failed'
    return new ExternalError({
      class: options.sent ? 'unknown' : 'transient',
      reason: options.sent ? 'ConnectionLost' : 'Unreachable',
      message: `${options.doing}: ${detail}.`,
      cause: error,
    })
  }
  const [, errorClass, reason] = STATES.find(([prefix]) => state.startsWith(prefix)) ?? [state, 'user', 'Refused']
  const known = errorClass === 'unknown' && !options.sent ? 'transient' : errorClass
  const detail = error instanceof pg.DatabaseError && error.detail !== undefined ? ` ${error.detail.slice(0, 500)}` : ''
  const message = error instanceof Error ? error.message : 'refused'
  return new ExternalError({
    class: known,
    reason,
    message: `${options.doing}: ${message} (SQLSTATE ${state}).${detail}`,
    cause: error,
  })
}

// An AggregateError of several addresses has an empty message of its own.
function describe(error: Error): string {
  if (error instanceof AggregateError)
    return error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join(', ')
  return error.message
}
