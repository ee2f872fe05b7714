import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kind } from '@orrery/api'
import { configMaps, isExpired, isNotFound, isThrottled } from '@orrery/api'
import { VirtualClock } from '@orrery/testing'
import { ConnectionError } from './client.ts'
import { createClient } from './create-client.ts'
import { MAX_RETRIES } from './requester.ts'
import { configMap, createScript, evenRandom, failure, json, stream } from './scripted-server.test-support.ts'

function setUp(...answers: Parameters<typeof createScript>[0]) {
  const clock = new VirtualClock()
  const script = createScript(answers)
  const client = createClient({ transport: script.handle, clock, random: evenRandom, userAgent: 'test/1' })
  return { clock, client, requests: script.requests }
}

const key = { namespace: 'default', name: 'a' }
const busy = () => failure(429, 'TooManyRequests', { 'retry-after': '1' })

test('a refused call is repeated after the time the server asks for, a mutating one too', async () => {
  const { clock, client, requests } = setUp(busy, () => json(201, configMap('a', '1')))
  const created = client.create(configMaps, configMap('a', ''))
  await clock.advance(900)
  assert.equal(requests.length, 1)
  await clock.advance(1_000)
  assert.equal((await created).metadata.resourceVersion, '1')
})

const reviews: Kind = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  singular: 'selfsubjectaccessreview',
  namespaced: false,
}

test('a review is asked and answered without a name; any other object without one is refused', async () => {
  const answer = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' }
  const nameless = () => json(201, { ...answer, metadata: { creationTimestamp: null }, status: { allowed: true } })
  const { client } = setUp(nameless, nameless)
  const answered = await client.create(reviews, { ...answer, metadata: { name: '' } })
  assert.equal(answered.metadata.name, '')
  await assert.rejects(client.create(reviews, { ...answer, metadata: { name: 'a' } }))
})

test('a server that keeps refusing is reported after a bounded number of tries', async () => {
  const { clock, client, requests } = setUp(...Array.from({ length: 20 }, () => busy))
  const refused = assert.rejects(client.get(configMaps, key), isThrottled)
  await clock.advance(60_000)
  await refused
  assert.equal(requests.length, MAX_RETRIES + 1)
})

for (const { name, answer } of [
  { name: 'a 429 without a time', answer: () => failure(429, 'TooManyRequests') },
  { name: 'a 503 that asks for a long time', answer: () => failure(503, 'StoreFull', { 'retry-after': '60' }) },
  { name: 'a 500', answer: () => failure(500, 'InternalError', { 'retry-after': '1' }) },
]) {
  test(`${name} is the caller's to judge`, async () => {
    const { client, requests } = setUp(answer)
    await assert.rejects(client.get(configMaps, key))
    assert.equal(requests.length, 1)
  })
}

test('a broken connection is told apart from a refusal, and never repeated', async () => {
  const { client, requests } = setUp(() => {
    throw new Error('reset')
  })
  await assert.rejects(client.create(configMaps, configMap('a', '')), ConnectionError)
  assert.equal(requests.length, 1)
})

test('an answer that never comes is a broken connection after the time limit', async () => {
  const { clock, client } = setUp()
  const broken = assert.rejects(client.get(configMaps, key), ConnectionError)
  await clock.advance(60_001)
  await broken
})

test('a 404 that does not name the object proves nothing', async () => {
  const named = {
    kind: 'Status',
    status: 'Failure',
    reason: 'NotFound',
    message: 'x',
    code: 404,
    details: { name: 'a' },
  }
  const { client } = setUp(
    () => json(404, named),
    () => ({ status: 404, headers: {}, body: Buffer.from('404 page not found') }),
  )
  assert.equal(await client.find(configMaps, key), undefined)
  await assert.rejects(client.find(configMaps, key), isNotFound)
})

test('a list whose snapshot expires in the middle starts again, so that its pages are of one snapshot', async () => {
  const page = (names: readonly string[], more: string) =>
    json(200, { metadata: { resourceVersion: '9', continue: more }, items: names.map((name) => configMap(name, '1')) })
  const { client, requests } = setUp(
    () => page(['a'], 'next'),
    () => failure(410, 'Expired'),
    () => page(['b'], 'next'),
    () => page(['c'], ''),
  )
  const { items } = await client.listAll(configMaps, { resourceVersion: '5' })
  assert.deepEqual(
    items.map((object) => object.metadata.name),
    ['b', 'c'],
  )
  assert.deepEqual(
    requests.map(({ target }) => target.includes('resourceVersion=5')),
    [true, false, true, false],
  )
})

test('names and selectors are percent-encoded, so that they cannot change the path', async () => {
  const { client, requests } = setUp(
    () => json(200, configMap('a', '1')),
    () => json(200, { metadata: {}, items: [] }),
  )
  await client.get(configMaps, { namespace: '../x', name: 'a/b?c=d' })
  await client.list(configMaps, { fields: 'metadata.name=a&limit=1' })
  assert.deepEqual(
    requests.map(({ target }) => target),
    [
      '/api/v1/namespaces/..%2Fx/configmaps/a%2Fb%3Fc%3Dd',
      '/api/v1/configmaps?fieldSelector=metadata.name%3Da%26limit%3D1',
    ],
  )
})

test('integers beyond 2^53 survive a read and a write', async () => {
  const text =
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default"},"big":9007199254740993}'
  const answer = () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) })
  const { client, requests } = setUp(answer, answer)
  await client.update(configMaps, await client.get(configMaps, key))
  const body = requests[1]?.body
  assert.ok(body instanceof Uint8Array && Buffer.from(body).includes('9007199254740993'))
})

test('a watch ends quietly with its caller, and throws what the stream says', async () => {
  const error = {
    type: 'ERROR',
    object: { kind: 'Status', status: 'Failure', reason: 'Expired', message: 'old', code: 410 },
  }
  const { client } = setUp(() => stream([`${JSON.stringify(error)}\n`]))
  await assert.rejects(Array.fromAsync(client.watch(configMaps, { after: '1' })), isExpired)
  const stop = new AbortController()
  const silent = Array.fromAsync(client.watch(configMaps, { after: '1', signal: stop.signal }))
  stop.abort()
  assert.deepEqual(await silent, [])
})
