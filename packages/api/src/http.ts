/**
 * HTTP as data. The hub is a function of a request to a response; a TLS listener, the in-process
 * client and the simulated network are adapters around the same {@link HttpHandler}.
 */

export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

export interface HttpRequest {
  /** Upper case. */
  readonly method: string
  /** Path and query exactly as sent, percent-encoding included, e.g. `/api/v1/namespaces?limit=500`. */
  readonly target: string
  /** Names in lower case. */
  readonly headers: HttpHeaders
  /** Absent and empty mean the same. A stream is read at most once, and only after authorization. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: HttpHeaders
  /**
   * A stream is ended by returning its iterator, which the adapter does when the peer goes away.
   * Each chunk is flushed when it is yielded.
   */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>
}

/** Never throws for what a peer can cause; a client-side handler throws for a broken connection. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>
