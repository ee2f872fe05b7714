import type { IncomingMessage, RequestOptions } from 'node:http'
import { Agent as HttpAgent, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'
import type { HttpHeaders, HttpRequest, HttpResponse } from '@orrery/api'
import { CONNECT_TIMEOUT_MS, tlsOptionsOf } from './connect.ts'
import type { ApiServer } from './kubeconfig.ts'

/** Each watch holds a connection of its own here; beyond this many, requests wait in the agent. */
export const SOCKETS_MAX = 256

export interface Http1 extends Disposable {
  request(request: HttpRequest, headers: HttpHeaders): Promise<HttpResponse>
}

/** HTTP/1.1 over kept connections, for servers and proxies that speak nothing newer. */
export function createHttp1(server: ApiServer): Http1 {
  const secure = server.url.startsWith('https:')
  const options = { keepAlive: true, maxSockets: SOCKETS_MAX, timeout: CONNECT_TIMEOUT_MS }
  const agent = secure ? new HttpsAgent({ ...options, ...tlsOptionsOf(server) }) : new HttpAgent(options)
  const origin = new URL(server.url).origin
  const send = secure ? requestHttps : requestHttp
  return {
    request(request, headers) {
      const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
      const wanted: RequestOptions = {
        agent,
        method: request.method,
        headers: outgoing(headers),
        signal: request.signal,
      }
      const outgoingRequest = send(`${origin}${request.target}`, wanted, (message) => {
        resolve({
          status: message.statusCode ?? 0,
          headers: { ...message.headers },
          body: bodyOf(message, request.signal),
        })
      })
      outgoingRequest.on('error', (error) => reject(request.signal.aborted ? request.signal.reason : error))
      // Idle sockets are probed by TCP; a connection that dies under a watch ends at the watch's own time limit.
      outgoingRequest.on('socket', (socket) => socket.setTimeout(0).setKeepAlive(true, CONNECT_TIMEOUT_MS))
      if (request.body === undefined || request.body instanceof Uint8Array) outgoingRequest.end(request.body)
      else
        Readable.from(request.body)
          .once('error', (error) => outgoingRequest.destroy(error))
          .pipe(outgoingRequest)
      return promise
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

function outgoing(headers: HttpHeaders): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name] = typeof value === 'string' ? value : [...value]
  }
  return result
}

async function* bodyOf(message: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of message) yield chunk
    signal.throwIfAborted()
  } finally {
    // A body that was read to its end keeps its connection for the next request.
    if (!message.complete) message.destroy()
  }
}
