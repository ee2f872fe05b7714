import type { Clock, HttpHandler, HttpRequest, HttpResponse } from '@orrery/api'
import { sleep } from '@orrery/api'
import { openSession, openTlsSocket } from './connect.ts'
import { createCredentials } from './credentials.ts'
import type { Http1 } from './http1.ts'
import { createHttp1 } from './http1.ts'
import { Session, UnprocessedError } from './http2-session.ts'
import type { ApiServer } from './kubeconfig.ts'

/** With 250 streams each, room for thousands of watches; a server that allows 10 still gets 160. */
export const SESSIONS_MAX = 16
/** Requests that wait for a free stream. More means that the server cannot keep up and callers must hear of it. */
export const WAITING_MAX = 10_000
/** A request that was surely not processed is sent again this often. */
const UNPROCESSED_RETRIES = 3
/** Running requests get this long at {@link NodeTransport.close}. */
const CLOSE_GRACE_MS = 2_000

export interface NodeTransport extends AsyncDisposable {
  readonly handle: HttpHandler
  /** Takes no further requests, lets running ones end for a moment, then cuts what is left (watches). */
  close(): Promise<void>
}

/**
 * Requests to one API server: many over few HTTP/2 connections, opened when needed and again when lost, or
 * HTTP/1.1 where the server chooses it. A broken connection rejects what ran on it and nothing else.
 */
export function createNodeTransport(server: ApiServer, options: { readonly clock: Clock }): NodeTransport {
  return new Transport(server, options.clock)
}

interface Waiter {
  /** Undefined: no session is needed any more, ask again. */
  readonly take: (session: Session | undefined) => void
  readonly fail: (error: unknown) => void
}

class Transport implements NodeTransport {
  readonly #server: ApiServer
  readonly #clock: Clock
  readonly #credentials: () => HttpRequest['headers']
  readonly #prefix: string
  readonly #waiting = new Set<Waiter>()
  #sessions: Session[] = []
  #connecting = 0
  #http1: Http1 | undefined
  #isClosed = false

  constructor(server: ApiServer, clock: Clock) {
    this.#server = server
    this.#clock = clock
    this.#credentials = createCredentials(server, clock)
    this.#prefix = new URL(server.url).pathname.replace(/\/$/, '')
    if (server.url.startsWith('http:')) this.#http1 = createHttp1(server)
  }

  readonly handle: HttpHandler = async (given) => {
    const request = this.#prefix === '' ? given : { ...given, target: `${this.#prefix}${given.target}` }
    const headers = { ...request.headers, ...this.#credentials() }
    const mayRepeat = request.body === undefined || request.body instanceof Uint8Array
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#send(request, headers)
      } catch (error) {
        if (!(error instanceof UnprocessedError) || !mayRepeat || attempt > UNPROCESSED_RETRIES) throw error
      }
    }
  }

  async #send(request: HttpRequest, headers: HttpRequest['headers']): Promise<HttpResponse> {
    request.signal.throwIfAborted()
    if (this.#isClosed) throw new Error(`The connection to ${this.#server.url} was closed by us.`)
    if (this.#http1 !== undefined) return this.#http1.request(request, headers)
    const session = this.#reserve() ?? (await this.#wait(request.signal))
    // The first connection may have found that the server speaks HTTP/1.1 only.
    return session === undefined ? this.#send(request, headers) : session.request(request, headers)
  }

  /** The freest session, so that one lost connection breaks as few requests as possible. */
  #reserve(): Session | undefined {
    let best: Session | undefined
    for (const session of this.#sessions) {
      if (session.isUsable && session.free > 0 && (best === undefined || session.free > best.free)) best = session
    }
    best?.reserve()
    return best
  }

  #wait(signal: AbortSignal): Promise<Session | undefined> {
    if (this.#waiting.size >= WAITING_MAX)
      throw new Error(`More than ${WAITING_MAX} requests wait for ${this.#server.url}.`)
    const { promise, resolve, reject } = Promise.withResolvers<Session | undefined>()
    const abort = () => waiter.fail(signal.reason)
    const settle = () => {
      this.#waiting.delete(waiter)
      signal.removeEventListener('abort', abort)
    }
    const waiter: Waiter = {
      take: (session) => {
        settle()
        resolve(session)
      },
      fail: (error) => {
        settle()
        reject(error)
      },
    }
    this.#waiting.add(waiter)
    signal.addEventListener('abort', abort, { once: true })
    this.#connectIfNeeded()
    return promise
  }

  #connectIfNeeded(): void {
    const usable = this.#sessions.filter((session) => session.isUsable).length
    if (this.#waiting.size === 0 || this.#connecting > 0 || usable >= SESSIONS_MAX || this.#isClosed) return
    this.#connecting++
    void this.#grow()
  }

  /** Never rejects: a failure to connect belongs to the requests that wait for it. */
  async #grow(): Promise<void> {
    try {
      await this.#connect()
      this.#connecting--
      this.#serve()
    } catch (error) {
      this.#connecting--
      for (const waiter of this.#waiting) waiter.fail(error)
    }
  }

  async #connect(): Promise<void> {
    const socket = await openTlsSocket(this.#server)
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy()
      this.#http1 ??= createHttp1(this.#server)
      return
    }
    const session = await openSession(this.#server, socket)
    const opened = new Session({ session, clock: this.#clock, onFree: () => this.#serve() })
    this.#sessions = [...this.#sessions.filter((known) => !known.isGone), opened]
    if (this.#isClosed) opened.destroy()
  }

  /** Gives free streams to who waits longest. */
  #serve(): void {
    for (const waiter of this.#waiting) {
      const session = this.#reserve()
      if (session === undefined && this.#http1 === undefined) break
      waiter.take(session)
    }
    this.#connectIfNeeded()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const waiter of this.#waiting)
      waiter.fail(new Error(`The connection to ${this.#server.url} was closed by us.`))
    for (const session of this.#sessions) session.close()
    const endMono = this.#clock.mono() + CLOSE_GRACE_MS
    while (this.#sessions.some((session) => session.active > 0) && this.#clock.mono() < endMono)
      await sleep(this.#clock, 10)
    for (const session of this.#sessions) session.destroy()
    this.#http1?.[Symbol.dispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
