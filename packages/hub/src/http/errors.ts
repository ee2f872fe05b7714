import { ApiError, type FieldError, qualifiedResource, type ResourceInfo, type StatusCause } from '@orrery/api'

/**
 * The failures of the API, each made in one place with the text that Kubernetes clients know. `resource`
 * is what the request addressed.
 */
export type Addressed = Pick<ResourceInfo, 'group' | 'plural'>

const detailsOf = (resource: Addressed, name?: string) => ({
  ...(name === undefined || name === '' ? {} : { name }),
  ...(resource.group === '' ? {} : { group: resource.group }),
  kind: resource.plural,
})

/** 400 for a request that cannot be understood. */
export function badRequest(message: string, cause?: unknown): ApiError {
  return new ApiError({ code: 400, reason: 'BadRequest', message, ...(cause === undefined ? {} : { cause }) })
}

/** 401 without any hint of what was wrong with the credentials. */
export function unauthorized(): ApiError {
  return new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' })
}

/** 403 for one object, or for a collection when `name` is absent. */
export function forbidden(
  resource: Addressed,
  name: string | undefined,
  why: string,
  causes?: StatusCause[],
): ApiError {
  const subject = name === undefined || name === '' ? '' : ` "${name}"`
  return new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${qualifiedResource(resource)}${subject} is forbidden: ${why}`,
    details: { ...detailsOf(resource, name), ...(causes === undefined ? {} : { causes }) },
  })
}

/** 404 for an object of a served resource. */
export function notFound(resource: Addressed, name: string): ApiError {
  return new ApiError({
    code: 404,
    reason: 'NotFound',
    message: `${qualifiedResource(resource)} "${name}" not found`,
    details: detailsOf(resource, name),
  })
}

/** 404 for a path or a resource that is not served; client-go resets its REST mapping on this text. */
export function unknownPath(): ApiError {
  return new ApiError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  })
}

/** 405. Custom resources name the verb, built-in kinds do not. */
export function methodNotAllowed(resource: Addressed, verb: string, custom: boolean): ApiError {
  return new ApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: custom
      ? `${verb} is not supported on resources of kind "${qualifiedResource(resource)}"`
      : 'the server does not allow this method on the requested resource',
    details: custom ? detailsOf(resource) : {},
  })
}

/** 409 for a create of a name that is taken. `terminating` says that the holder is on its way out. */
export function alreadyExists(resource: Addressed, name: string, terminating: boolean): ApiError {
  return new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${terminating ? 'object is being deleted: ' : ''}${qualifiedResource(resource)} "${name}" already exists`,
    details: detailsOf(resource, name),
  })
}

const modified = 'the object has been modified; please apply your changes to the latest version and try again'

/** 409 for a write that was based on another version, or whose precondition does not hold. */
export function conflict(resource: Addressed, name: string, why: string = modified): ApiError {
  return new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualifiedResource(resource)} "${name}": ${why}`,
    details: detailsOf(resource, name),
  })
}

/** 422. `kind` is the Kind, or the plural where Kubernetes says so; equal errors are printed once. */
export function invalid(group: string, kind: string, name: string, errors: readonly FieldError[]): ApiError {
  const texts = [...new Set(errors.map((error) => `${error.path === '' ? '<nil>' : error.path}: ${error.message}`))]
  const list = texts.length === 1 ? texts.join('') : `[${texts.join(', ')}]`
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${group === '' ? kind : `${kind}.${group}`} "${name}" is invalid: ${list}`,
    details: {
      ...(name === '' ? {} : { name }),
      ...(group === '' ? {} : { group }),
      ...(kind === '' ? {} : { kind }),
      causes: errors.map((error) => ({
        reason: error.reason,
        message: error.message,
        field: error.path === '' ? '<nil>' : error.path,
      })),
    },
  })
}

/** 422 for request options such as `dryRun`. `kind` is e.g. `CreateOptions`. */
export function invalidOptions(kind: string, errors: readonly FieldError[]): ApiError {
  return invalid('meta.k8s.io', kind, '', errors)
}

/** 422 for a patch whose result is not an object of the kind: the field is `patch`. */
export function invalidPatch(patched: string, detail: string): ApiError {
  return invalid('', '', '', [
    { path: 'patch', reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(patched)}: ${detail}` },
  ])
}

/** 422 for a patch that cannot be applied to this object; the reason stays with the server, as in Kubernetes. */
export function inapplicablePatch(cause: unknown): ApiError {
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
    details: {},
    cause,
  })
}

/** 413 for a body beyond `limitBytes`. */
export function requestTooLarge(limitBytes: number): ApiError {
  return new ApiError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: limit is ${limitBytes}`,
  })
}

/** 413 for an object that is too large in its stored form. */
export function objectTooLarge(sizeBytes: number, limitBytes: number): ApiError {
  return new ApiError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: the object would take ${sizeBytes} bytes, at most ${limitBytes} are stored; split it or shorten its largest field`,
  })
}

/** 415 for a body in a media type that has no decoder here. */
export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  return new ApiError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  })
}

/** 410: history is gone. `token` lets a paged list go on from the current state. */
export function expired(message: string, token?: string): ApiError {
  return new ApiError({ code: 410, reason: 'Expired', message, ...(token === undefined ? {} : { continue: token }) })
}

/** 504 for a resourceVersion that this server has not seen. */
export function tooLargeResourceVersion(wanted: number, current: number): ApiError {
  return new ApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  })
}

/** 504 for a request that ran into its deadline. Whether a write took effect is not known. */
export function timedOut(): ApiError {
  return new ApiError({
    code: 504,
    reason: 'Timeout',
    message: 'Timeout: request did not complete within the allotted timeout',
    details: {},
  })
}

/** 429: the hub is at a limit; nothing was done. */
export function tooManyRequests(): ApiError {
  return new ApiError({
    code: 429,
    reason: 'TooManyRequests',
    message: 'Too many requests, please try again later.',
    details: { retryAfterSeconds: 1 },
  })
}

/** 503: the store takes no writes, or the hub shuts down. Nothing was done. */
export function unavailable(message: string, cause?: unknown): ApiError {
  return new ApiError({
    code: 503,
    reason: 'ServiceUnavailable',
    message,
    details: { retryAfterSeconds: 1 },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** 500 for what is no fault of the client. */
export function internal(message: string, cause?: unknown): ApiError {
  return new ApiError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
    ...(cause === undefined ? {} : { cause }),
  })
}
