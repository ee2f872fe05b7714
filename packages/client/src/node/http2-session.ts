import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { constants } from 'node:http2'
import { Readable } from 'node:stream'
import type { Clock, HttpHeaders, HttpRequest, HttpResponse } from '@orrery/api'

/** An idle connection is probed this often, so that a peer that vanished is noticed before a watch's own time limit. */
export const PING_INTERVAL_MS = 15_000
/** A peer that does not answer a ping within this time is gone. */
export const PING_TIMEOUT_MS = 10_000
/** Used where the peer sets no limit: what Go's server allows. */
export const DEFAULT_STREAMS_MAX = 250

/** The server is known not to have touched the request: it may be sent again, elsewhere. */
export class UnprocessedError extends Error {
  override readonly name = 'UnprocessedError'
}

/** One HTTP/2 connection: counts its streams, probes its peer, refuses new work when the peer says goodbye. */
export class Session {
  readonly #session: ClientHttp2Session
  readonly #clock: Clock
  readonly #onFree: () => void
  #active = 0
  #isLeaving = false
  #lastProcessedId = Number.POSITIVE_INFINITY
  #failure: Error | undefined
  #timer: Disposable | undefined

  constructor(options: { session: ClientHttp2Session; clock: Clock; onFree: () => void }) {
    this.#session = options.session
    this.#clock = options.clock
    this.#onFree = options.onFree
    this.#session.on('error', (error: Error) => {
      this.#failure ??= error
    })
    this.#session.on('goaway', (_code: number, lastStreamId: number) => {
      this.#isLeaving = true
      this.#lastProcessedId = lastStreamId
      this.#onFree()
    })
    this.#session.once('close', () => {
      this.#timer?.[Symbol.dispose]()
      this.#onFree()
    })
    this.#schedulePing()
  }

  get isUsable(): boolean {
    return !this.#isLeaving && !this.#session.closed && !this.#session.destroyed
  }
  get isGone(): boolean {
    return this.#session.destroyed || this.#session.closed
  }
  get free(): number {
    const limit = this.#session.remoteSettings.maxConcurrentStreams ?? DEFAULT_STREAMS_MAX
    return Math.min(limit, DEFAULT_STREAMS_MAX) - this.#active
  }
  get active(): number {
    return this.#active
  }

  /** Takes a stream's place at once; `request` follows, and gives the place back when its stream ends. */
  reserve(): void {
    this.#active++
  }

  /** After {@link reserve}. Throws {@link UnprocessedError} when the server surely did not act, any other error when it may have. */
  async request(request: HttpRequest, headers: HttpHeaders): Promise<HttpResponse> {
    if (request.signal.aborted || !this.isUsable) {
      this.#release()
      request.signal.throwIfAborted()
      throw new UnprocessedError('The connection was closed before the request was sent.')
    }
    const hasBody = request.body !== undefined && !(request.body instanceof Uint8Array && request.body.byteLength === 0)
    const stream = this.#session.request(
      { ...headers, ':method': request.method, ':path': request.target },
      { endStream: !hasBody },
    )
    const abort = () => stream.close(constants.NGHTTP2_CANCEL)
    request.signal.addEventListener('abort', abort, { once: true })
    stream.once('close', () => {
      request.signal.removeEventListener('abort', abort)
      this.#release()
    })
    const response = this.#responseOf(stream, request.signal)
    if (request.body instanceof Uint8Array) stream.end(request.body)
    else if (request.body !== undefined)
      Readable.from(request.body)
        .once('error', (error) => stream.destroy(error))
        .pipe(stream)
    return response
  }

  close(): void {
    this.#isLeaving = true
    this.#session.close()
  }
  destroy(): void {
    this.#isLeaving = true
    this.#session.destroy()
  }

  #release(): void {
    this.#active--
    this.#onFree()
  }

  #responseOf(stream: ClientHttp2Stream, signal: AbortSignal): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
    stream.once('response', (headers) => {
      resolve({ status: headers[':status'] ?? 0, headers: plainHeaders(headers), body: bodyOf(stream, signal) })
    })
    stream.on('error', (error: Error) => reject(this.#explain(stream, error)))
    stream.once('close', () => reject(this.#explain(stream, undefined)))
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    return promise
  }

  #explain(stream: ClientHttp2Stream, error: Error | undefined): Error {
    const refused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM
    if (refused || stream.id === undefined || stream.id > this.#lastProcessedId) {
      return new UnprocessedError('The server did not take the request.', { cause: error })
    }
    const cause = this.#failure ?? error
    return new Error(cause?.message ?? 'The connection was closed before the answer came.', { cause })
  }

  #schedulePing(): void {
    this.#timer = this.#clock.schedule(PING_INTERVAL_MS, () => {
      if (this.#session.destroyed) return
      const lost = this.#clock.schedule(PING_TIMEOUT_MS, () =>
        this.#session.destroy(new Error(`The server did not answer a ping within ${PING_TIMEOUT_MS} ms.`)),
      )
      this.#timer = lost
      this.#session.ping((error) => {
        lost[Symbol.dispose]()
        if (error === null && !this.#session.destroyed) this.#schedulePing()
      })
    })
  }
}

/**
 * Reads with back-pressure: the stream's window opens only as the reader takes. Returning the iterator cancels
 * the stream. NOTE: Node's own iterator must not be used here. It takes a stream whose peer has finished, while
 * bytes still wait to be read, for one that broke off.
 */
async function* bodyOf(stream: ClientHttp2Stream, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: Error | undefined
  let wake: () => void = () => undefined
  const onChange = () => wake()
  const onError = (error: Error) => {
    failure ??= error
    wake()
  }
  stream.on('readable', onChange).on('end', onChange).on('close', onChange).on('error', onError)
  try {
    for (;;) {
      const chunk: unknown = stream.read()
      if (chunk instanceof Uint8Array) {
        yield chunk
        continue
      }
      signal.throwIfAborted()
      if (failure !== undefined) throw failure
      if (stream.readableEnded) break
      if (stream.destroyed) throw new Error('The connection was closed in the middle of the answer.')
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR)
      throw new Error(`The stream was reset with code ${stream.rstCode}.`)
  } finally {
    stream.off('readable', onChange).off('end', onChange).off('close', onChange)
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL)
    // A body that nobody wants must not hold its stream open.
    stream.resume()
  }
}

function plainHeaders(headers: IncomingHttpHeaders): HttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':')))
}
