import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Http2SecureServer, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import { connect, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { HttpResponse } from '@orrery/api'
import { VirtualClock } from '@orrery/testing'
import { systemClock } from './clock.ts'
import { PING_INTERVAL_MS, PING_TIMEOUT_MS } from './http2-session.ts'
import type { ApiServer } from './kubeconfig.ts'
import { createNodeTransport } from './transport.ts'

// A self-signed certificate of 127.0.0.1, for these tests only.
const cert = readFileSync(join(import.meta.dirname, 'testdata', 'server.crt'), 'utf8')
const key = readFileSync(join(import.meta.dirname, 'testdata', 'server.key'), 'utf8')

async function listen(server: Server): Promise<ApiServer> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    url: `https://127.0.0.1:${address.port}`,
    ca: cert,
    insecureSkipTlsVerify: false,
    namespace: 'default',
    token: 'secret',
  }
}

/** An HTTP/2 server whose streams the test answers, and the sessions it has seen. */
async function startHttp2(options: {
  readonly streams?: number
  readonly onStream: (stream: ServerHttp2Stream) => void
  readonly onHeaders?: (headers: IncomingHttpHeaders) => void
}) {
  const settings = options.streams === undefined ? {} : { settings: { maxConcurrentStreams: options.streams } }
  const server: Http2SecureServer = createSecureServer({ cert, key, ...settings })
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => undefined) // Cut connections are what some tests are about.
    session.once('close', () => sessions.delete(session))
  })
  server.on('stream', (stream, headers) => {
    options.onHeaders?.(headers)
    stream.on('error', () => undefined)
    options.onStream(stream)
  })
  const api = await listen(server)
  const stop = async () => {
    for (const session of sessions) session.destroy()
    server.close()
    await once(server, 'close')
  }
  return { api, sessions, [Symbol.asyncDispose]: stop }
}

const never = new AbortController().signal
const get = (target: string, signal: AbortSignal = never) => ({ method: 'GET', target, headers: {}, signal })

async function textOf(response: HttpResponse): Promise<string> {
  assert.ok(response.body !== undefined && !(response.body instanceof Uint8Array))
  return Buffer.concat(await Array.fromAsync(response.body)).toString()
}

const answer = (stream: ServerHttp2Stream, text: string) => {
  stream.respond({ ':status': 200 })
  stream.end(text)
}

test('many requests share one connection, and carry who we are', async () => {
  const seen = new Set<string | undefined>()
  await using server = await startHttp2({
    onStream: (stream) => {
      answer(stream, 'ok')
    },
    onHeaders: (headers) => seen.add(headers.authorization),
  })
  await using transport = createNodeTransport(server.api, { clock: systemClock })
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => transport.handle(get(`/${index}`)).then(textOf)),
  )
  assert.deepEqual(new Set(answers), new Set(['ok']))
  assert.equal(server.sessions.size, 1)
  assert.deepEqual(seen, new Set(['Bearer secret']))
})

test('past the stream limit of the peer a further connection is opened', async () => {
  const held: ServerHttp2Stream[] = []
  await using server = await startHttp2({
    streams: 2,
    onStream: (stream) => {
      stream.respond({ ':status': 200 })
      held.push(stream)
    },
  })
  await using transport = createNodeTransport(server.api, { clock: systemClock })
  const responses = await Promise.all(Array.from({ length: 5 }, (_, index) => transport.handle(get(`/${index}`))))
  assert.equal(responses.length, 5)
  assert.equal(server.sessions.size, 3)
  for (const stream of held) stream.end()
})

test('a cut connection breaks what ran on it, and the next request opens another', async () => {
  let requests = 0
  await using server = await startHttp2({
    onStream: (stream) => (requests++ === 0 ? stream.session?.destroy() : answer(stream, 'again')),
  })
  await using transport = createNodeTransport(server.api, { clock: systemClock })
  await assert.rejects(transport.handle(get('/cut')))
  assert.equal(await textOf(await transport.handle(get('/next'))), 'again')
  assert.equal(requests, 2)
})

test('a request the server surely did not take is sent again', async () => {
  let refused = 0
  await using server = await startHttp2({
    onStream: (stream) => {
      if (refused++ === 0)
        stream.close(7) // REFUSED_STREAM
      else answer(stream, 'taken')
    },
  })
  await using transport = createNodeTransport(server.api, { clock: systemClock })
  assert.equal(await textOf(await transport.handle(get('/x'))), 'taken')
})

test('a body that is cut off is an error, never a short answer', async () => {
  await using server = await startHttp2({
    onStream: (stream) => {
      stream.respond({ ':status': 200 })
      stream.write('half', () => stream.session?.destroy())
    },
  })
  await using transport = createNodeTransport(server.api, { clock: systemClock })
  await assert.rejects(transport.handle(get('/x')).then(textOf))
})

test('an answer that was complete before anybody read it is whole', async () => {
  const closed = Promise.withResolvers<void>()
  await using server = await startHttp2({
    onStream: (stream) => {
      answer(stream, 'whole')
      stream.once('close', () => closed.resolve())
    },
  })
  await using transport = createNodeTransport(server.api, { clock: systemClock })
  const response = await transport.handle(get('/x'))
  await closed.promise
  await transport.handle(get('/y')).then(textOf) // By then the first stream's end has arrived here, too.
  assert.equal(await textOf(response), 'whole')
})

test('an abort cancels the stream at the server', async () => {
  const cancelled = Promise.withResolvers<number>()
  await using server = await startHttp2({
    onStream: (stream) => {
      stream.respond({ ':status': 200 })
      stream.once('close', () => cancelled.resolve(stream.rstCode))
    },
  })
  await using transport = createNodeTransport(server.api, { clock: systemClock })
  const stop = new AbortController()
  const response = await transport.handle(get('/watch', stop.signal))
  const reading = textOf(response)
  stop.abort(new Error('enough'))
  await assert.rejects(reading, (error) => error === stop.signal.reason)
  assert.equal(await cancelled.promise, 8)
})

test('a peer that vanished without a word is noticed by its silence to a ping', async () => {
  const clock = new VirtualClock()
  await using server = await startHttp2({ onStream: (stream) => stream.respond({ ':status': 200 }) })
  const { relay, silence } = createRelay(Number(new URL(server.api.url).port))
  const api = await listen(relay)
  const transport = createNodeTransport(api, { clock })
  const response = await transport.handle(get('/watch'))
  silence()
  const reading = assert.rejects(textOf(response))
  await clock.advance(PING_INTERVAL_MS)
  await clock.advance(PING_TIMEOUT_MS)
  await reading
  await transport.close()
  relay.close()
})

/** Carries bytes to a port until it falls silent, with its connections open. */
function createRelay(port: number) {
  const pairs: (readonly [Socket, Socket])[] = []
  const relay = createTcpServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const socket of [near, far]) socket.on('error', () => undefined)
    near.once('close', () => far.destroy())
    near.pipe(far).pipe(near)
    pairs.push([near, far])
  })
  const silence = () => {
    for (const [near, far] of pairs) {
      near.unpipe(far)
      far.unpipe(near)
    }
  }
  return { relay, silence }
}

test('a server that speaks only HTTP/1.1 is served over that', async () => {
  const server = createHttpsServer({ cert, key, ALPNProtocols: ['http/1.1'] }, (request, response) => {
    response.end(`${request.httpVersion} ${request.headers.authorization} ${request.url}`)
  })
  const api = await listen(server)
  const transport = createNodeTransport({ ...api, url: `${api.url}/prefix` }, { clock: systemClock })
  assert.equal(await textOf(await transport.handle(get('/a'))), '1.1 Bearer secret /prefix/a')
  await transport.close()
  server.close()
  await once(server, 'close')
})

test('an untrusted certificate is refused, and a closed transport takes nothing more', async () => {
  await using server = await startHttp2({ onStream: (stream) => answer(stream, 'ok') })
  const { ca: _ca, ...untrusting } = server.api
  await using stranger = createNodeTransport(untrusting, { clock: systemClock })
  await assert.rejects(stranger.handle(get('/x')))
  const transport = createNodeTransport(server.api, { clock: systemClock })
  await transport.close()
  await assert.rejects(transport.handle(get('/x')))
})
