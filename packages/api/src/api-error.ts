/**
 * The one error that crosses HTTP. It mirrors a Kubernetes `Status` of failure; anything else that is
 * thrown becomes `InternalError` at one place. Tests assert the reason, not the message, except where
 * the message is contract (Kubernetes answers).
 */

export type StatusReason =
  | ''
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'Invalid'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'TooManyRequests'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'Timeout'
  | 'ServerTimeout'
  | 'StoreFull'
  | 'StaleLeader'

export interface StatusCause {
  readonly reason?: string
  readonly message?: string
  readonly field?: string
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  /** The plural resource for most errors, the Kind for `Invalid`, as Kubernetes has it. */
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly StatusCause[]
  readonly retryAfterSeconds?: number
}

/** The wire form, `v1 Status`. */
export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: { readonly continue?: string }
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: StatusReason | (string & {})
  readonly details?: StatusDetails
  readonly code: number
}

export interface ApiErrorOptions {
  readonly code: number
  readonly reason: StatusReason | (string & {})
  readonly message: string
  readonly details?: StatusDetails
  /** A token with which an expired list can go on (410). */
  readonly continue?: string
  readonly cause?: unknown
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: number
  readonly reason: string
  readonly details: StatusDetails | undefined
  readonly continue: string | undefined

  constructor(options: ApiErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.code
    this.reason = options.reason
    this.details = options.details
    this.continue = options.continue
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continue === undefined ? {} : { continue: this.continue },
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    }
  }

  /** Reads what a server answered. `body` is whatever was parsed, or text when it was not JSON. */
  static fromResponse(code: number, body: unknown): ApiError {
    if (typeof body === 'object' && body !== null && 'status' in body && 'message' in body) {
      const status = body as Partial<Status>
      return new ApiError({
        code,
        reason: status.reason ?? reasonOfCode(code),
        message: status.message ?? `HTTP ${code}`,
        ...(status.details === undefined ? {} : { details: status.details }),
        ...(status.metadata?.continue === undefined ? {} : { continue: status.metadata.continue }),
      })
    }
    const text = typeof body === 'string' && body.trim() !== '' ? body.trim() : `HTTP ${code}`
    return new ApiError({ code, reason: reasonOfCode(code), message: text })
  }
}

function reasonOfCode(code: number): StatusReason {
  const reasons: Readonly<Record<number, StatusReason>> = {
    400: 'BadRequest',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    405: 'MethodNotAllowed',
    406: 'NotAcceptable',
    409: 'Conflict',
    410: 'Gone',
    413: 'RequestEntityTooLarge',
    415: 'UnsupportedMediaType',
    422: 'Invalid',
    429: 'TooManyRequests',
    500: 'InternalError',
    503: 'ServiceUnavailable',
    504: 'Timeout',
  }
  return reasons[code] ?? ''
}

const hasReason = (error: unknown, ...reasons: readonly string[]) =>
  error instanceof ApiError && reasons.includes(error.reason)

export const isNotFound = (error: unknown): boolean => hasReason(error, 'NotFound')
export const isConflict = (error: unknown): boolean => hasReason(error, 'Conflict')
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, 'AlreadyExists')
export const isInvalid = (error: unknown): boolean => hasReason(error, 'Invalid')
export const isForbidden = (error: unknown): boolean => hasReason(error, 'Forbidden')
/** The watched or listed revision is gone: list again. */
export const isExpired = (error: unknown): boolean => hasReason(error, 'Expired', 'Gone')
/** The server refuses for now; the request did not take effect. */
export const isThrottled = (error: unknown): boolean => hasReason(error, 'TooManyRequests', 'ServiceUnavailable')
