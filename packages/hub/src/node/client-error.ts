import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ApiError } from '@orrery/api'

interface Refusal {
  readonly code: number
  readonly reason: string
  readonly message: string
}

const malformed: Refusal = { code: 400, reason: 'BadRequest', message: 'the request is not well-formed HTTP' }

/** What the HTTP/1.1 parser of Node.js calls its errors, as far as the answer is not 400. */
const refusals: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    code: 431,
    reason: 'RequestHeaderFieldsTooLarge',
    message: 'the header fields of the request are too large; send fewer or shorter ones',
  },
  HPE_INVALID_VERSION: {
    code: 505,
    reason: 'HTTPVersionNotSupported',
    message: 'this HTTP version is not spoken here; use HTTP/1.1 or HTTP/2',
  },
  HPE_INVALID_TRANSFER_ENCODING: {
    code: 501,
    reason: 'NotImplemented',
    message: 'of all transfer encodings only "chunked" is read',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 408,
    reason: 'RequestTimeout',
    message: 'the request did not arrive in time; send it again',
  },
}

/** The refusal of a transfer encoding other than `chunked`, which the parser lets through before a final `chunked`. */
export const unknownEncoding: ApiError = new ApiError(refusals['HPE_INVALID_TRANSFER_ENCODING'] ?? malformed)

/** A body that did not arrive within its time. */
export function bodyTimeout(): ApiError {
  return new ApiError(refusals['ERR_HTTP_REQUEST_TIMEOUT'] ?? malformed)
}

/** The refusal of a request that is not HTTP as it should be, e.g. with two hosts. */
export function notWellFormed(detail: string): ApiError {
  return new ApiError({ ...malformed, message: `${malformed.message}: ${detail}` })
}

/**
 * Answers what never became a request, and closes the connection: what follows on it cannot be told from
 * the rest of what was refused. `isAnswering` says that the head of another answer is already out.
 */
export function refuseConnection(error: Error, socket: Duplex, isAnswering: boolean): void {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (isAnswering || !socket.writable || code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  // The parser has one code for several faults; only its words tell a version from a line that ends wrongly.
  const isOther = /Content-Length|CRLF|Expected/.test(error.message)
  endWith(socket, new ApiError(isOther ? malformed : (refusals[code] ?? malformed)))
}

/** Writes an answer on the bare socket and closes it. */
export function endWith(socket: Duplex, error: ApiError): void {
  const body = JSON.stringify(error.toStatus())
  const head = [
    `HTTP/1.1 ${error.code} ${STATUS_CODES[error.code] ?? ''}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
