import { ApiError, type HttpRequest, type HttpResponse } from '@orrery/api'
import type { Authenticator, Authorizer, UserInfo } from '../auth/auth.ts'
import { groups } from '../auth/default-authorizer.ts'
import { actingUser } from '../auth/impersonation.ts'
import { findReview } from '../auth/reviews.ts'
import type { OpenApiDocuments } from '../discovery/openapi-documents.ts'
import { answerDiscovery } from '../discovery/paths.ts'
import type { Peer } from '../hub.ts'
import { findResource } from '../registry/catalogue.ts'
import type { HubCore } from '../registry/core.ts'
import { StoreError } from '../store/store.ts'
import { type Answer, errorAnswer } from './answer.ts'
import { headerText } from './body.ts'
import { deadlineMs, withDeadline } from './deadline.ts'
import { forbidden, internal, unavailable, unknownPath } from './errors.ts'
import { answerHealth, type HealthCheck } from './health.ts'
import type { Inflight } from './inflight.ts'
import type { RequestMetrics } from './metrics.ts'
import { attributesOf, parseRequestInfo, type RequestInfo } from './request-info.ts'
import { routeResource } from './routes.ts'
import { Warnings } from './warnings.ts'

export interface HandlerOptions {
  readonly core: HubCore
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
  readonly openApi: OpenApiDocuments
  readonly checks: readonly HealthCheck[]
  readonly metrics: RequestMetrics
  readonly inflight: Inflight
}

/** What is known of a request while it is answered. */
interface Exchange {
  readonly request: HttpRequest
  readonly peer: Peer
  readonly auditId: string
  readonly warnings: Warnings
  info: RequestInfo | undefined
}

/** The whole way of a request: who, what, may they, do it, say it. */
export function createHandler(options: HandlerOptions): (request: HttpRequest, peer: Peer) => Promise<HttpResponse> {
  const { core, metrics } = options
  return async (request, peer) => {
    const startedMs = core.clock.mono()
    const auditId = auditIdOf(request) ?? core.random.uuid()
    const exchange: Exchange = { request, peer, auditId, warnings: new Warnings(), info: undefined }
    const answer = await answerExchange(options, exchange)
    const seconds = (core.clock.mono() - startedMs) / 1000
    metrics.finished(exchange.info, isServed(core, exchange.info), answer.status, seconds)
    return completed(exchange, answer)
  }
}

/** A client's own id is kept, so that it can follow its request through the logs. */
function auditIdOf(request: HttpRequest): string | undefined {
  const given = headerText(request.headers, 'audit-id')
  return /^[\w-]{1,64}$/.test(given) ? given : undefined
}

function isServed(core: HubCore, info: RequestInfo | undefined): boolean {
  const target = info?.resource
  if (target === undefined) return false
  return findResource(core.catalogue(), target) !== undefined || findReview(target) !== undefined
}

async function answerExchange(options: HandlerOptions, exchange: Exchange): Promise<Answer> {
  const { request } = exchange
  try {
    const info = parseRequestInfo(request.method, request.target)
    exchange.info = info
    const limitMs = deadlineMs(info)
    const signedIn = await options.authenticator.authenticate(request, exchange.peer)
    const user = await actingUser(signedIn, request.headers, options.authorizer)
    if (info.verb === 'watch') {
      await authorize(options.authorizer, user, info)
      return watched(options, info, await route(options, exchange, info, user))
    }
    const kind = request.method === 'GET' || request.method === 'HEAD' ? 'readOnly' : 'mutating'
    using _place = options.inflight.enter(kind, user.groups.includes(groups.masters))
    await authorize(options.authorizer, user, info)
    return await withDeadline(options.core.clock, limitMs, route(options, exchange, info, user))
  } catch (error) {
    return errorAnswer(apiErrorOf(options, exchange, error), headerText(request.headers, 'accept'))
  }
}

async function authorize(authorizer: Authorizer, user: UserInfo, info: RequestInfo): Promise<void> {
  const { allowed, reason } = await authorizer.authorize(user, attributesOf(info))
  if (allowed) return
  const because = reason === '' ? '' : `: ${reason}`
  const target = info.resource
  if (target === undefined) {
    throw new ApiError({
      code: 403,
      reason: 'Forbidden',
      message: `forbidden: User "${user.name}" cannot ${info.verb} path "${info.path}"${because}`,
      details: {},
    })
  }
  const resource = target.subresource === '' ? target.resource : `${target.resource}/${target.subresource}`
  const where = target.namespace === '' ? 'at the cluster scope' : `in the namespace "${target.namespace}"`
  const why = `User "${user.name}" cannot ${info.verb} resource "${resource}" in API group "${target.group}" ${where}${because}`
  throw forbidden({ group: target.group, plural: target.resource }, target.name, why)
}

async function route(options: HandlerOptions, exchange: Exchange, info: RequestInfo, user: UserInfo): Promise<Answer> {
  const { core, authorizer, openApi } = options
  const { request, warnings } = exchange
  if (core.closing.aborted) throw unavailable('the hub is shutting down; try again')
  const target = info.resource
  if (target !== undefined) {
    const isStillAllowed = async () => {
      // A watch also ends when its CRD has gone.
      if (findResource(core.catalogue(), target) === undefined) return false
      return (await authorizer.authorize(user, attributesOf(info))).allowed
    }
    return routeResource({ core, authorizer, http: request, info, target, user, warnings, isStillAllowed })
  }
  const answer =
    answerHealth(info, options.checks) ??
    (info.path === '/metrics' ? await answerMetrics(options.metrics) : undefined) ??
    answerDiscovery({ catalogue: core.catalogue(), openApi, request, info })
  if (answer === undefined) throw unknownPath()
  return answer
}

async function answerMetrics(metrics: RequestMetrics): Promise<Answer> {
  return { status: 200, headers: { 'content-type': metrics.contentType }, body: Buffer.from(await metrics.text()) }
}

/** Counts a watch as long as its body is read. */
function watched({ metrics }: HandlerOptions, info: RequestInfo, answer: Answer): Answer {
  const { body } = answer
  if (body === undefined || body instanceof Uint8Array) return answer
  return { ...answer, body: counted(metrics, info, body) }
}

async function* counted(
  metrics: RequestMetrics,
  info: RequestInfo,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const finished = metrics.watchStarted(info)
  try {
    yield* body
  } finally {
    finished()
  }
}

function apiErrorOf({ core }: HandlerOptions, exchange: Exchange, error: unknown): ApiError {
  if (error instanceof ApiError) return error
  const { auditId, info } = exchange
  if (error instanceof StoreError) {
    if (error.kind === 'full') {
      return new ApiError({
        code: 503,
        reason: 'StoreFull',
        message: 'the store has no room for new data: free space or raise the limit; reads and deletes go on',
        details: { retryAfterSeconds: 1 },
        cause: error,
      })
    }
    if (error.kind === 'corrupt') {
      core.log.error({ error, auditId }, 'an object of the store cannot be read')
      // The message names the object and what to do; a list without it would look complete.
      return internal(error.message, error)
    }
    if (error.kind === 'broken' || error.kind === 'closed') {
      core.log.error({ error, auditId }, 'the store takes no requests')
      return unavailable('the store takes no requests; the hub must be restarted', error)
    }
  }
  if (exchange.request.signal.aborted) return unavailable('the client went away before its request was complete', error)
  core.log.error({ error, auditId, verb: info?.verb, path: info?.path }, 'a request failed for no fault of its client')
  return internal(`the request failed; the hub's log has the cause under audit id ${auditId}`, error)
}

function completed({ auditId, warnings, info }: Exchange, answer: Answer): HttpResponse {
  const texts = warnings.headers()
  const headers = {
    'audit-id': auditId,
    'cache-control': 'no-cache, private',
    ...answer.headers,
    ...(texts === undefined ? {} : { warning: texts }),
  }
  if (answer.body === undefined || info?.method === 'HEAD') return { status: answer.status, headers }
  return { status: answer.status, headers, body: answer.body }
}
