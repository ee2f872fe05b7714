import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { ApiError, HttpRequest } from '@orrery/api'
import type { Peer } from '../hub.ts'
import { bodyTimeout, notWellFormed, unknownEncoding } from './client-error.ts'

/** Either protocol's request; both have the same members. */
export type NodeRequest = IncomingMessage | Http2ServerRequest

const bodyless = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The request as the hub takes it. The body is not read before the hub asks for it, and not for longer than `bodyMs`. */
export function requestOf(request: NodeRequest, signal: AbortSignal, bodyMs: number): HttpRequest {
  const { method = 'GET', url = '/' } = request
  const base = { method, target: pathOf(url), headers: headersOf(request), signal }
  if (bodyless.has(method)) return base
  return { ...base, body: readWithin(request, bodyMs) }
}

/** Node.js limits the time of an HTTP/1.1 request, but not that of a stream of HTTP/2. */
async function* readWithin(request: NodeRequest, limitMs: number): AsyncGenerator<Uint8Array> {
  // Destroying the stream would take the connection away before the answer (a 413) is sent.
  const chunks: AsyncIterator<Uint8Array> = request.iterator({ destroyOnReturn: false })
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(bodyTimeout()), limitMs)
  try {
    for (;;) {
      const chunk = await Promise.race([chunks.next(), late])
      if (chunk.done === true) return
      yield chunk.value
    }
  } finally {
    clearTimeout(timer)
    // Not awaited: it would wait for the chunk that does not come.
    void chunks.return?.()
  }
}

/** What is wrong with a request that the parser let through; undefined when nothing is. */
export function refusalOf(request: NodeRequest): ApiError | undefined {
  if ('stream' in request) return undefined
  const encoding = request.headers['transfer-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') return unknownEncoding
  let hosts = 0
  const { rawHeaders } = request
  for (let index = 0; index < rawHeaders.length; index += 2) if (/^host$/i.test(rawHeaders[index] ?? '')) hosts++
  return hosts > 1 ? notWellFormed('it names more than one host') : undefined
}

/** Clients of proxies send the whole URL; which host it names is of no interest here. */
const pathOf = (url: string): string => (url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*(?=\/)/i, ''))

function headersOf(request: NodeRequest): HttpRequest['headers'] {
  const { headers } = request
  if (headers[':method'] === undefined) return headers
  const plain: Record<string, string | readonly string[] | undefined> = {}
  for (const [name, value] of Object.entries(headers)) if (!name.startsWith(':')) plain[name] = value
  const authority = headers[':authority']
  if (plain['host'] === undefined && typeof authority === 'string') plain['host'] = authority
  return plain
}

/** What TLS knows of the other side. */
export function peerOf(socket: TLSSocket): Peer {
  const address = socket.remoteAddress
  const base = address === undefined ? {} : { address }
  const certificate = socket.getPeerCertificate()
  // An empty object means that none was sent; the types do not say so.
  if (Object.keys(certificate).length === 0) return base
  if (!socket.authorized) return { ...base, certificateRejected: true }
  const { CN, O } = certificate.subject
  const organizations = O === undefined ? [] : listOf(O)
  const names = listOf(CN)
  // Two common names are two answers to the question who this is.
  if (names.length !== 1) return { ...base, certificateRejected: true }
  return { ...base, certificate: { commonName: names.join(''), organizations } }
}

/** Several values of one attribute come as a list, a single one as text, none as undefined; the types know only text. */
function listOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
