import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { silentLogger } from '@orrery/api'
import { createTestHub, type TestHub } from '../testdata/test-hub.ts'
import { type Listener, listen } from './listener.ts'
import { openPki, type Pki } from './pki.ts'

/** Bytes that are no proper HTTP, over real sockets. */

const configMaps = '/api/v1/namespaces/default/configmaps'
const body = '{"metadata":{"name":"smuggled"}}'
const lines = (...text: readonly string[]) => `${text.join('\r\n')}\r\n\r\n`
const get = (...headers: readonly string[]) => lines('GET /readyz HTTP/1.1', 'Host: a', ...headers)
const post = (...headers: readonly string[]) =>
  lines(`POST ${configMaps} HTTP/1.1`, 'Host: a', 'Content-Type: application/json', ...headers)

suite('HTTP/1.1 on the wire', () => {
  const directory = mkdtempSync(join(tmpdir(), 'orrery-transport-'))
  let hub: TestHub
  let pki: Pki
  let listener: Listener

  before(async () => {
    hub = await createTestHub()
    pki = openPki({ directory, nowMs: Date.now() })
    listener = await listen({
      hub: hub.hub,
      log: silentLogger,
      server: pki.server,
      authority: pki.authority,
      host: '127.0.0.1',
      port: 0,
      limits: { headersMs: 300, requestMs: 600, checkMs: 50 },
    })
  })
  after(async () => {
    await listener[Symbol.asyncDispose]()
    await hub[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  async function open(): Promise<TLSSocket> {
    const { ca, cert, key } = { ca: pki.authority, cert: pki.admin.certificate, key: pki.admin.key }
    const socket = connectTls({ host: '127.0.0.1', port: listener.port, ca, cert, key, ALPNProtocols: ['http/1.1'] })
    await once(socket, 'secureConnect')
    return socket
  }

  /** Everything that the server says until it closes, or until it answered as often as asked. */
  async function exchange(bytes: string, answers = 1): Promise<string> {
    const socket = await open()
    socket.on('error', () => undefined)
    let text = ''
    socket.write(bytes, 'latin1')
    const { promise, resolve } = Promise.withResolvers<void>()
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (text.split('HTTP/1.1 ').length - 1 >= answers) resolve()
    })
    socket.once('close', () => resolve())
    await promise
    socket.destroy()
    return text
  }

  const statusOf = (text: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)

  for (const { name, bytes, status } of [
    { name: 'one header of 20 KiB', bytes: get(`X-Large: ${'x'.repeat(20_480)}`), status: 431 },
    { name: '5,000 headers', bytes: get(...Array.from({ length: 5000 }, (_, i) => `X-${i}: a`)), status: 431 },
    {
      name: 'a length and chunks',
      bytes: `${post('Content-Length: 5', 'Transfer-Encoding: chunked')}20\r\n${body}\r\n0\r\n\r\n`,
      status: 400,
    },
    { name: 'two lengths', bytes: post('Content-Length: 5', 'Content-Length: 6'), status: 400 },
    { name: 'a negative length', bytes: post('Content-Length: -1'), status: 400 },
    { name: 'a signed length', bytes: `${post('Content-Length: +5')}abcde`, status: 400 },
    { name: 'a length beyond 64 bits', bytes: post('Content-Length: 99999999999999999999'), status: 400 },
    { name: 'an encoding that is not chunked', bytes: post('Transfer-Encoding: gzip, chunked'), status: 501 },
    { name: 'an encoding that is unknown', bytes: post('Transfer-Encoding: cow'), status: 501 },
    { name: 'a bad chunk size', bytes: `${post('Transfer-Encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n`, status: 400 },
    {
      name: 'a chunk size beyond 64 bits',
      bytes: `${post('Transfer-Encoding: chunked')}fffffffffffffffff\r\n`,
      status: 400,
    },
    { name: 'bare line feeds', bytes: get().replaceAll('\r\n', '\n'), status: 400 },
    { name: 'a space before the colon', bytes: get('X-A : b'), status: 400 },
    { name: 'a folded header', bytes: get('X-A: b', ' c'), status: 400 },
    { name: 'NUL in a header', bytes: get('X-A: b\0c'), status: 400 },
    { name: 'a control character in a header name', bytes: get('X\x01A: b'), status: 400 },
    { name: 'no host', bytes: lines('GET /readyz HTTP/1.1'), status: 400 },
    { name: 'two hosts', bytes: get('Host: b'), status: 400 },
    { name: 'HTTP/3.0', bytes: lines('GET /readyz HTTP/3.0', 'Host: a'), status: 505 },
    { name: 'a broken escape in the path', bytes: lines('GET /api/v1/%zz HTTP/1.1', 'Host: a'), status: 400 },
    { name: 'a path without a slash', bytes: lines('GET api HTTP/1.1', 'Host: a'), status: 400 },
    { name: 'no HTTP at all', bytes: '\x00\x01\x02\x03garbage\r\n\r\n', status: 400 },
    { name: 'CONNECT', bytes: lines('CONNECT evil.example:443 HTTP/1.1', 'Host: evil.example:443'), status: 405 },
    {
      name: 'an upgrade to another protocol',
      bytes: lines(
        'GET /readyz HTTP/1.1',
        'Host: a',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
      ),
      status: 200,
    },
    { name: 'headers that never end', bytes: 'GET /api HTTP/1.1\r\nHost: a\r\n', status: 408 },
    { name: 'a body that is never sent', bytes: post('Content-Length: 100'), status: 408 },
    { name: 'a body that stops in the middle', bytes: `${post('Content-Length: 100')}{"metadata"`, status: 408 },
  ])
    test(`${name}: ${status}`, async () => {
      const text = await exchange(bytes)
      assert.equal(statusOf(text), status, text.slice(0, 300))
      assert.equal((await hub.get(`${configMaps}/smuggled`)).status, 404)
      assert.equal((await hub.get('/livez')).status, 200)
    })

  test('a connection on which nothing comes is closed', async () => {
    assert.equal(statusOf(await exchange('')), 408)
  })

  test('an absolute target means its path', async () => {
    const text = await exchange(lines('GET https://evil.example/readyz HTTP/1.1', 'Host: a'))
    assert.equal(statusOf(text), 200)
  })

  test('requests in a row are answered in a row', async () => {
    const text = await exchange(`${post('Content-Length: 0')}${get('Connection: close')}`, 2)
    assert.deepEqual(
      [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)),
      [400, 200],
    )
  })

  test('plain HTTP on the TLS port is closed, and nobody else notices', async () => {
    const socket = connectTcp(listener.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.resume()
    socket.write(get())
    await once(socket, 'close')
    assert.equal(statusOf(await exchange(get())), 200)
  })

  test('a body that its client breaks off writes nothing', async () => {
    const socket = await open()
    socket.write(`${post(`Content-Length: ${body.length + 10}`)}${body}`)
    socket.destroy()
    await once(socket, 'close')
    const session = connectHttp2(listener.url, { ca: pki.authority, cert: pki.admin.certificate, key: pki.admin.key })
    const stream = session.request({ ':path': configMaps, ':method': 'POST', 'content-type': 'application/json' })
    stream.write(body)
    stream.on('error', () => undefined)
    stream.close(8)
    await once(stream, 'close')
    session.close()
    await once(session, 'close')
    assert.equal((await hub.get(`${configMaps}/smuggled`)).status, 404)
  })

  test('an HTTP/2 body that is never sent ends after its time', async () => {
    const session = connectHttp2(listener.url, { ca: pki.authority, cert: pki.admin.certificate, key: pki.admin.key })
    const stream = session.request({ ':path': configMaps, ':method': 'POST', 'content-type': 'application/json' })
    const [headers] = await once(stream, 'response')
    assert.equal(headers[':status'], 408)
    stream.close()
    session.close()
  })
})
