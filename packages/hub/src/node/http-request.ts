import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { HttpRequest } from '@orrery/api'
import type { Peer } from '../hub.ts'

/** Either protocol's request; both have the same members. */
export type NodeRequest = IncomingMessage | Http2ServerRequest

const bodyless = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The request as the hub takes it. The body is not read before the hub asks for it. */
export function requestOf(request: NodeRequest, signal: AbortSignal): HttpRequest {
  const { method = 'GET', url = '/' } = request
  const base = { method, target: url, headers: headersOf(request), signal }
  if (bodyless.has(method)) return base
  // Destroying the stream would take the connection away before the answer (a 413) is sent.
  return { ...base, body: request.iterator({ destroyOnReturn: false }) }
}

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
