import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import { isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { ApiError, type HttpResponse, type Logger } from '@orrery/api'
import { headerText } from '../http/body.ts'
import type { Hub, Peer } from '../hub.ts'
import { endWith, refuseConnection } from './client-error.ts'
import { type NodeRequest, peerOf, refusalOf, requestOf } from './http-request.ts'
import { type NodeResponse, sendResponse } from './http-response.ts'
import type { KeyPair } from './pki.ts'

export interface ListenerOptions {
  readonly hub: Pick<Hub, 'handle'>
  readonly log: Logger
  readonly server: KeyPair
  /** PEM. Client certificates are verified against it. */
  readonly authority: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly limits?: Partial<ListenerLimits>
}

/** Each named; the defaults are {@link listenerLimits}. */
export interface ListenerLimits {
  readonly connections: number
  /** client-go opens all its watches on one connection. */
  readonly streamsPerConnection: number
  readonly headerBytes: number
  readonly headersMs: number
  /** Until the whole request is here, its body included. */
  readonly requestMs: number
  /** How often connections are looked at for the two limits above. */
  readonly checkMs: number
  readonly handshakeMs: number
  /** A connection without any request is closed after this. */
  readonly idleMs: number
  /** How long requests may go on after a shutdown began. */
  readonly drainMs: number
}

export const listenerLimits: ListenerLimits = {
  connections: 10_000,
  streamsPerConnection: 1000,
  headerBytes: 16 * 1024,
  headersMs: 10_000,
  requestMs: 60_000,
  checkMs: 1000,
  handshakeMs: 10_000,
  idleMs: 600_000,
  drainMs: 10_000,
}

export interface Listener extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** `https://host:port`. */
  readonly url: string
}

/** Serves a hub over HTTP/2 and HTTP/1.1 with TLS. Rejects when the address cannot be taken. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const listener = new TlsListener(options)
  await listener.start()
  return listener
}

class TlsListener implements Listener {
  readonly #options: ListenerOptions
  readonly #limits: ListenerLimits
  readonly #server: Http2SecureServer
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #sockets = new Set<TLSSocket>()
  readonly #peers = new WeakMap<object, Peer>()
  /** Connections of HTTP/1.1 on which an answer is under way. */
  readonly #answering = new WeakSet<object>()
  /** Requests that end by themselves. */
  readonly #finite = new Set<Promise<void>>()
  /** Ends watches; everything else has had its time by then. */
  readonly #watches = new Set<AbortController>()
  #isDraining = false
  #port = 0

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#limits = { ...listenerLimits, ...options.limits }
    this.#server = this.#createServer()
  }

  get host(): string {
    return this.#options.host
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    const { host } = this.#options
    return `https://${isIPv6(host) ? `[${host}]` : host}:${this.#port}`
  }

  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen(this.#options.port, this.#options.host, resolve)
    await promise
    this.#server.off('error', reject)
    this.#server.on('error', (error) => this.#options.log.error({ error }, 'the listener failed'))
    const address = this.#server.address()
    if (typeof address === 'object' && address !== null) this.#port = address.port
  }

  /** Takes no new requests, lets those that run finish, then ends watches and connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDraining = true
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    for (const session of this.#sessions) session.close()
    await settledWithin([...this.#finite], this.#limits.drainMs)
    for (const watch of this.#watches) watch.abort()
    await settledWithin([closed], 1000)
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #createServer(): Http2SecureServer {
    const { server: pair, authority } = this.#options
    const limits = this.#limits
    // Of the HTTP/1.1 side; the types of an HTTP/2 server do not know it.
    const http1Options = { connectionsCheckingInterval: limits.checkMs }
    const server = createSecureServer({
      allowHTTP1: true,
      key: pair.key,
      cert: pair.certificate,
      ca: authority,
      requestCert: true,
      // Tokens and anonymous requests share the port; the authenticator refuses what TLS could not verify.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      handshakeTimeout: limits.handshakeMs,
      settings: { maxConcurrentStreams: limits.streamsPerConnection, maxHeaderListSize: limits.headerBytes * 4 },
      ...http1Options,
    })
    server.maxConnections = limits.connections
    // Of the HTTP/1.1 side; the types of an HTTP/2 server do not know them.
    Object.assign(server, {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      maxHeaderSize: limits.headerBytes,
      keepAliveTimeout: limits.idleMs,
    })
    server.on('secureConnection', (socket) => {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.setKeepAlive(true, 30_000)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.on('session', (session) => this.#track(session))
    server.on('sessionError', (error) => this.#options.log.debug({ error }, 'a connection broke'))
    server.on('tlsClientError', (error) => this.#options.log.debug({ error }, 'a TLS handshake failed'))
    server.on('request', (request, response) => this.#serve(request, response))
    server.on('clientError', (error: Error, socket: Duplex) => {
      this.#options.log.debug({ error }, 'a request was no proper HTTP')
      refuseConnection(error, socket, this.#answering.has(socket))
    })
    server.on('connect', refuseTunnel)
    return server
  }

  #track(session: ServerHttp2Session): void {
    this.#sessions.add(session)
    let streams = 0
    session.on('stream', (stream) => {
      streams++
      stream.once('close', () => streams--)
    })
    session.setTimeout(this.#limits.idleMs, () => {
      if (streams === 0) session.close()
    })
    session.once('close', () => this.#sessions.delete(session))
  }

  #serve(request: NodeRequest, response: NodeResponse): void {
    const abort = new AbortController()
    response.once('close', () => abort.abort())
    // A peer that goes away while it sends or receives; 'close' follows and ends the work.
    request.on('error', (error) => this.#options.log.debug({ error }, 'a request broke'))
    response.on('error', (error) => this.#options.log.debug({ error }, 'a response broke'))
    const work = this.#answer(request, response, abort).catch((error: unknown) => {
      this.#options.log.error({ error }, 'an answer could not be sent')
      response.destroy()
    })
    this.#finite.add(work)
    void work.finally(() => this.#finite.delete(work))
    if (isWatchRequest(request)) this.#finite.delete(work)
  }

  async #answer(request: NodeRequest, response: NodeResponse, abort: AbortController): Promise<void> {
    const isHttp1 = request.httpVersionMajor === 1
    const answer = await this.#answerOf(request, abort.signal)
    // A body that nobody read stands between this answer and the next request.
    const closeConnection = isHttp1 && (this.#isDraining || !request.complete)
    const acceptsGzip = /\bgzip\b/.test(headerText({ value: request.headers['accept-encoding'] }, 'value'))
    this.#watches.add(abort)
    if (isHttp1) this.#answering.add(request.socket)
    try {
      await sendResponse(response, answer, { acceptsGzip, closeConnection })
    } finally {
      this.#watches.delete(abort)
      if (isHttp1) this.#answering.delete(request.socket)
    }
  }

  async #answerOf(request: NodeRequest, signal: AbortSignal): Promise<HttpResponse> {
    if (this.#isDraining) return drainingAnswer
    const refusal = refusalOf(request)
    if (refusal !== undefined) return statusAnswer(refusal)
    return this.#options.hub.handle(requestOf(request, signal, this.#limits.requestMs), this.#peer(request))
  }

  #peer(request: NodeRequest): Peer {
    const owner = 'stream' in request ? request.stream.session : request.socket
    if (owner === undefined) return {}
    const known = this.#peers.get(owner)
    if (known !== undefined) return known
    const socket = 'stream' in request ? request.stream.session?.socket : request.socket
    // Over HTTP/2 this is a proxy of the TLS socket, which is one all the same.
    const peer = socket instanceof TLSSocket ? peerOf(socket) : {}
    this.#peers.set(owner, peer)
    return peer
  }
}

function isWatchRequest(request: NodeRequest): boolean {
  return request.method === 'GET' && /[?&]watch=|\/watch\//.test(request.url ?? '')
}

/** CONNECT. Over HTTP/2 the other side is a response, over HTTP/1.1 the bare socket, which the types do not say. */
function refuseTunnel(request: NodeRequest, other: NodeResponse | Duplex): void {
  request.resume()
  const error = new ApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'CONNECT is not served: this is no proxy',
  })
  if (!('setHeader' in other)) return endWith(other, error)
  other.statusCode = error.code
  other.end()
}

const drainingAnswer = statusAnswer(
  new ApiError({
    code: 503,
    reason: 'ServiceUnavailable',
    message: 'the server is shutting down',
    details: { retryAfterSeconds: 1 },
  }),
)

function statusAnswer(error: ApiError): HttpResponse {
  const seconds = error.details?.retryAfterSeconds
  const headers = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' }
  return {
    status: error.code,
    headers: seconds === undefined ? headers : { ...headers, 'retry-after': String(seconds) },
    body: Buffer.from(JSON.stringify(error.toStatus())),
  }
}

/** Waits for all, or for `limitMs`. */
async function settledWithin(work: readonly Promise<unknown>[], limitMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  await Promise.race([Promise.allSettled(work), late])
  clearTimeout(timer)
}
