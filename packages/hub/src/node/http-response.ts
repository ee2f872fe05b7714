import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createGzip, gzip } from 'node:zlib'
import type { HttpResponse } from '@orrery/api'

/** Either protocol's response; both have the same methods. */
export type NodeResponse = ServerResponse | Http2ServerResponse

/** As kube-apiserver: smaller answers are not worth the time. */
const minGzipBytes = 128 * 1024
/** The fastest level; what the Go server uses. */
const gzipLevel = constants.Z_BEST_SPEED
/** Writes below this waste time in TLS and framing. */
const chunkBytes = 256 * 1024

const compress = promisify(gzip)

interface SendOptions {
  readonly acceptsGzip: boolean
  /** Of the connection; only HTTP/1.1 has them. */
  readonly closeConnection: boolean
}

/** Sends an answer at the pace of the peer. Returns early, without an error, when the peer goes away. */
export async function sendResponse(response: NodeResponse, answer: HttpResponse, options: SendOptions): Promise<void> {
  const { body } = answer
  if (body === undefined) {
    writeHead(response, answer, options, {})
    response.end()
    return
  }
  if (body instanceof Uint8Array) return sendBytes(response, answer, body, options)
  const isWatch = answer.headers['content-length'] === undefined
  if (isWatch || !options.acceptsGzip) {
    writeHead(response, answer, options, {})
    // Clients wait for the headers before they believe that the watch has begun.
    if (isWatch && 'stream' in response) response.writeHead(answer.status)
    else if (isWatch && 'flushHeaders' in response) response.flushHeaders()
    return sendStream(response, body)
  }
  writeHead(response, answer, options, {
    'content-encoding': 'gzip',
    vary: 'Accept-Encoding',
    'content-length': undefined,
  })
  return sendStream(response, Readable.from(body).pipe(createGzip({ level: gzipLevel })))
}

function writeHead(
  response: NodeResponse,
  answer: HttpResponse,
  options: SendOptions,
  more: Readonly<Record<string, string | undefined>>,
): void {
  response.statusCode = answer.status
  for (const [name, value] of Object.entries({ ...answer.headers, ...more })) {
    if (value === undefined) continue
    response.setHeader(name, typeof value === 'string' ? value : [...value])
  }
  if (options.closeConnection) response.setHeader('connection', 'close')
}

async function sendBytes(
  response: NodeResponse,
  answer: HttpResponse,
  bytes: Uint8Array,
  options: SendOptions,
): Promise<void> {
  if (options.acceptsGzip && bytes.length > minGzipBytes && answer.headers['content-encoding'] === undefined) {
    const packed = await compress(bytes, { level: gzipLevel })
    const length = String(packed.length)
    writeHead(response, answer, options, {
      'content-encoding': 'gzip',
      vary: 'Accept-Encoding',
      'content-length': length,
    })
    return sendChunks(response, packed)
  }
  writeHead(response, answer, options, { 'content-length': String(bytes.length) })
  return sendChunks(response, bytes)
}

async function sendChunks(response: NodeResponse, bytes: Uint8Array): Promise<void> {
  let from = 0
  while (bytes.length - from > chunkBytes) {
    if (!(await write(response, bytes.subarray(from, from + chunkBytes)))) return
    from += chunkBytes
  }
  response.end(from === 0 ? bytes : bytes.subarray(from))
}

async function sendStream(response: NodeResponse, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  // Leaving the loop returns the iterator, which ends the watch.
  for await (const chunk of chunks) if (!(await write(response, chunk))) return
  response.end()
}

/** False when the peer is gone. */
async function write(response: NodeResponse, chunk: Uint8Array): Promise<boolean> {
  if (response.destroyed || response.writableEnded) return false
  // Both classes take bytes, but their overloads do not unite.
  const hasRoom = 'stream' in response ? response.write(chunk) : response.write(chunk)
  if (hasRoom) return true
  const left = new AbortController()
  try {
    await Promise.race([
      once(response, 'drain', { signal: left.signal }),
      once(response, 'close', { signal: left.signal }),
    ])
  } finally {
    left.abort()
  }
  return !response.destroyed
}
