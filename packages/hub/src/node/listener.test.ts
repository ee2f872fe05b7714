import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectHttp2, constants } from 'node:http2'
import { request as requestHttps } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { silentLogger } from '@orrery/api'
import { createTestHub, janeToken, type TestHub } from '../testdata/test-hub.ts'
import { type Listener, listen } from './listener.ts'
import { openPki, type Pki } from './pki.ts'

const directory = mkdtempSync(join(tmpdir(), 'orrery-listener-'))
const configMaps = '/api/v1/namespaces/default/configmaps'

let hub: TestHub
let pki: Pki
let listener: Listener

before(async () => {
  hub = await createTestHub()
  pki = openPki({ directory, nowMs: Date.now() })
  listener = await start()
})

after(async () => {
  await listener[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const start = () =>
  listen({ hub: hub.hub, log: silentLogger, server: pki.server, authority: pki.authority, host: '127.0.0.1', port: 0 })

interface Call {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly client?: 'admin' | 'none' | 'foreign'
}

function tlsOptions(client: Call['client'] = 'admin', port = listener.port) {
  const base = { ca: pki.authority, host: '127.0.0.1', port }
  if (client === 'none') return base
  if (client === 'admin') return { ...base, cert: pki.admin.certificate, key: pki.admin.key }
  const foreign = openPki({ directory: join(directory, 'foreign'), nowMs: Date.now() }).admin
  return { ...base, cert: foreign.certificate, key: foreign.key }
}

async function callHttp1(path: string, { method = 'GET', headers = {}, body, client }: Call = {}) {
  const request = requestHttps({ ...tlsOptions(client), path, method, headers })
  request.end(body)
  const [response] = await once(request, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) }
}

async function callHttp2(path: string, { method = 'GET', headers = {}, body, client }: Call = {}) {
  const session = connectHttp2(listener.url, tlsOptions(client))
  const stream = session.request({ ':path': path, ':method': method, ...headers })
  stream.end(body)
  const [answer] = await once(stream, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  session.close()
  return { status: answer[constants.HTTP2_HEADER_STATUS], headers: answer, bytes: Buffer.concat(chunks) }
}

for (const { protocol, call } of [
  { protocol: 'HTTP/1.1', call: callHttp1 },
  { protocol: 'HTTP/2', call: callHttp2 },
])
  suite(protocol, () => {
    test('the administrator is known by certificate, everybody else by token or not at all', async () => {
      const who = async (options: Call) => {
        const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
        const headers = { 'content-type': 'application/json', ...options.headers }
        const { status, bytes } = await call(path, { ...options, method: 'POST', headers, body: '{}' })
        return status === 201 ? JSON.parse(bytes.toString()).status.userInfo.username : status
      }
      assert.equal(await who({}), 'orrery-admin')
      assert.equal(await who({ client: 'none', headers: { authorization: `Bearer ${janeToken}` } }), 'jane')
      assert.equal(await who({ client: 'none' }), 403)
      assert.equal(await who({ client: 'foreign' }), 401)
    })

    test('a body beyond the limit is answered, not cut off', async () => {
      const headers = { 'content-type': 'application/json' }
      const { status } = await call(configMaps, { method: 'POST', headers, body: 'x'.repeat(3 * 1024 * 1024 + 1) })
      assert.equal(status, 413)
    })

    test('a large answer is compressed for who asks, and whole for who does not', async () => {
      const data = { k: 'y'.repeat(300_000) }
      const name = `large-${call === callHttp1 ? 'one' : 'two'}`
      await hub.post(configMaps, { metadata: { name }, data })
      const plain = await call(`${configMaps}/${name}`)
      const packed = await call(`${configMaps}/${name}`, { headers: { 'accept-encoding': 'gzip' } })
      assert.equal(packed.headers['content-encoding'], 'gzip')
      assert.ok(packed.bytes.length < 20_000)
      assert.deepEqual(gunzipSync(packed.bytes), plain.bytes)
    })

    test('warnings are headers of their own', async () => {
      const headers = { 'content-type': 'application/json' }
      const body = '{"metadata":{"generateName":"w-"},"x":1,"y":2}'
      const answer = await call(configMaps, { method: 'POST', headers, body })
      assert.equal(answer.status, 201)
      assert.match(String(answer.headers['warning']), /unknown field \\"x\\".*unknown field \\"y\\"/)
    })
  })

test('a watch sends its headers before the first event, and each event when it happens', async () => {
  const session = connectHttp2(listener.url, tlsOptions())
  const stream = session.request({ ':path': `${configMaps}?watch=1&fieldSelector=metadata.name%3Dwatched` })
  await once(stream, 'response')
  await hub.post(configMaps, { metadata: { name: 'watched' } })
  const [first] = await once(stream, 'data')
  assert.equal(JSON.parse(first).type, 'ADDED')
  await hub.delete(`${configMaps}/watched`)
  const [second] = await once(stream, 'data')
  assert.equal(JSON.parse(second).type, 'DELETED')
  stream.close()
  session.close()
})

test('a shutdown ends watches and takes no new requests', async () => {
  const own = await start()
  const session = connectHttp2(own.url, tlsOptions('admin', own.port))
  const stream = session.request({ ':path': `${configMaps}?watch=1` })
  await once(stream, 'response')
  stream.resume()
  const ended = once(stream, 'close')
  await own[Symbol.asyncDispose]()
  await ended
  await assert.rejects(once(connectTls(tlsOptions('admin', own.port)), 'secureConnect'))
})

test('a header block beyond the limit is refused', async () => {
  const { status } = await callHttp1('/healthz', { headers: { 'x-large': 'x'.repeat(20_000) } })
  assert.equal(status, 431)
})
