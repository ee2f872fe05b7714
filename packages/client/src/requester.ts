import type { Clock, HttpHandler, HttpResponse, Random } from '@orrery/api'
import { ApiError, sleep } from '@orrery/api'
import { ConnectionError } from './client.ts'
import type { Deadline } from './deadline.ts'
import { createDeadline } from './deadline.ts'
import { decodeJson, decodeText, readBody } from './wire.ts'

/** A server that refuses five times in a row has to be reported, not hidden. */
export const MAX_RETRIES = 4
/** Longer waits belong to the caller, who knows whether they are worth it. */
export const MAX_RETRY_AFTER_MS = 10_000
/** As long as kube-apiserver itself lets a request take. */
export const DEFAULT_TIMEOUT_MS = 60_000

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly target: string
  readonly accept?: string
  readonly contentType?: string
  readonly body?: Uint8Array
  readonly signal?: AbortSignal | undefined
}

/** An open response: its body is still coming. Dispose it when done. */
export interface OpenResponse extends Disposable {
  readonly headers: HttpResponse['headers']
  readonly body: HttpResponse['body']
  readonly signal: AbortSignal
}

export interface Requester {
  /** The whole body of a 2xx answer and its content type. */
  call(call: Call): Promise<{ readonly bytes: Uint8Array; readonly contentType: string }>
  /** A 2xx answer whose body is a stream without an end in sight; the time limit covers its start only. */
  open(call: Call): Promise<OpenResponse>
}

/**
 * Sends calls, throws `ApiError` for what the server refused and `ConnectionError` for what broke on the
 * way. It repeats a call only when the server said that it did not act: 429, or 503 with Retry-After.
 */
export function createRequester(options: {
  readonly transport: HttpHandler
  readonly clock: Clock
  readonly random: Random
  readonly userAgent: string
  readonly timeoutMs?: number
}): Requester {
  const { transport, clock, random, userAgent, timeoutMs = DEFAULT_TIMEOUT_MS } = options

  const send = async (call: Call, deadline: Deadline): Promise<HttpResponse> => {
    const response = await transport({
      method: call.method,
      target: call.target,
      headers: {
        accept: call.accept ?? 'application/json',
        'user-agent': userAgent,
        ...(call.body === undefined
          ? {}
          : { 'content-type': call.contentType ?? 'application/json', 'content-length': `${call.body.byteLength}` }),
      },
      ...(call.body === undefined ? {} : { body: call.body }),
      signal: deadline.signal,
    })
    if (response.status >= 200 && response.status < 300) return response
    throw await refusal(response)
  }

  const attempt = async <R>(
    call: Call,
    use: (response: HttpResponse, deadline: Deadline) => Promise<R>,
  ): Promise<R> => {
    const deadline = createDeadline({
      clock,
      timeoutMs,
      onTimeout: () => new Error(`No answer within ${timeoutMs} ms.`),
      signal: call.signal,
    })
    try {
      return await use(await send(call, deadline), deadline)
    } catch (error) {
      deadline[Symbol.dispose]()
      throw translate(error, call)
    }
  }

  const exchange = async <R>(
    call: Call,
    use: (response: HttpResponse, deadline: Deadline) => Promise<R>,
  ): Promise<R> => {
    for (let retries = 0; ; retries++) {
      try {
        return await attempt(call, use)
      } catch (error) {
        const delayMs = Refusal.delayMs(error)
        if (delayMs === undefined || delayMs > MAX_RETRY_AFTER_MS || retries >= MAX_RETRIES) throw error
        // Everyone who was refused at the same moment must not come back at the same moment.
        await sleep(clock, delayMs * (1 + random.next() / 2), call.signal)
      }
    }
  }

  return {
    call: (call) =>
      exchange(call, async (response, deadline) => {
        const bytes = await readBody(response.body)
        deadline[Symbol.dispose]()
        return { bytes, contentType: headerOf(response, 'content-type') ?? '' }
      }),
    open: (call) =>
      exchange(call, async (response, deadline) => {
        deadline.lift()
        return {
          headers: response.headers,
          body: response.body,
          signal: deadline.signal,
          [Symbol.dispose]: () => deadline[Symbol.dispose](),
        }
      }),
  }
}

/** Errors of the wire become `ConnectionError`; what the caller caused or the server said stays as it is. */
export function translate(error: unknown, call: Pick<Call, 'method' | 'target' | 'signal'>): unknown {
  if (call.signal?.aborted === true) return call.signal.reason
  if (error instanceof ApiError || error instanceof ConnectionError) return error
  const what = `${call.method} ${call.target.split('?', 1)[0]}`
  const why = error instanceof Error ? error.message : String(error)
  return new ConnectionError(`${what} broke off: ${why}`, { cause: error })
}

class Refusal extends ApiError {
  readonly #retryAfterMs: number | undefined
  constructor(error: ApiError, retryAfterMs: number | undefined) {
    super({
      code: error.code,
      reason: error.reason,
      message: error.message,
      ...(error.details === undefined ? {} : { details: error.details }),
      ...(error.continue === undefined ? {} : { continue: error.continue }),
    })
    this.#retryAfterMs = retryAfterMs
  }

  /** How long the server asked to wait, when it said that it did not act. */
  static delayMs(error: unknown): number | undefined {
    const isRetriable = error instanceof Refusal && (error.code === 429 || error.code === 503)
    return isRetriable ? error.#retryAfterMs : undefined
  }
}

async function refusal(response: HttpResponse): Promise<ApiError> {
  const text = decodeText(await readBody(response.body))
  const isJson = headerOf(response, 'content-type')?.startsWith('application/json') === true
  const error = ApiError.fromResponse(response.status, isJson ? decodeJson(text) : text)
  const seconds = Number(headerOf(response, 'retry-after'))
  return new Refusal(error, Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined)
}

function headerOf(response: HttpResponse, name: string): string | undefined {
  const value = response.headers[name]
  return typeof value === 'string' ? value : value?.[0]
}
