import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ConfigMap, KubeObject } from '@orrery/api'
import {
  ApiError,
  configMaps,
  isAlreadyExists,
  isConflict,
  isExpired,
  isInvalid,
  isNotFound,
  keyOf,
  namespaces,
  parseLabelSelector,
  silentLogger,
} from '@orrery/api'
import type { Client, WatchEvent } from '@orrery/client'
import { createInformer, discover } from '@orrery/client'
import { systemClock, systemRandom } from '@orrery/client/node'

/** A client of a running server with all rights, and how to end both. */
export interface ClientFixture extends AsyncDisposable {
  readonly client: Client
}

/** Room for a slow machine; nothing waits for it when all is well. */
const PATIENCE_MS = 30_000

/**
 * What every server must do for the client, and the client for its users, over any transport: the hub in the
 * same process, over TLS, and a real kube-apiserver. Registers tests; `skip` is the printed reason not to run.
 */
export function clientSuite(
  name: string,
  newClient: () => Promise<ClientFixture>,
  options: { readonly skip?: string | false } = {},
): void {
  const skip = options.skip ?? false
  describe(`client suite: ${name}`, { skip }, () => {
    let fixture: ClientFixture
    before(async () => {
      if (skip === false) fixture = await newClient()
    })
    after(async () => {
      if (skip === false) await fixture[Symbol.asyncDispose]()
    })
    const client = () => fixture.client
    registerWrites(client)
    registerReads(client)
    registerWatches(client)
  })
}

let counter = 0

/** A namespace of its own for each test, so that tests share nothing. */
async function newNamespace(client: Client): Promise<string> {
  const name = `client-suite-${process.pid}-${counter++}`
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {} })
  return name
}

const configMap = (
  namespace: string,
  name: string,
  value = 'a',
  labels: Readonly<Record<string, string>> = {},
): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace, name, labels },
  data: { value },
})

function registerWrites(client: () => Client): void {
  test('what is created can be read, and is created once', async () => {
    const namespace = await newNamespace(client())
    const created = await client().create(configMaps, configMap(namespace, 'a'))
    assert.notEqual(created.metadata.uid, undefined)
    assert.deepEqual(await client().get(configMaps, keyOf(created)), created)
    await assert.rejects(client().create(configMaps, configMap(namespace, 'a')), isAlreadyExists)
  })

  test('an update of an old version is a conflict and changes nothing', async () => {
    const namespace = await newNamespace(client())
    const first = await client().create(configMaps, configMap(namespace, 'a'))
    const second = await client().update(configMaps, { ...first, data: { value: 'b' } })
    await assert.rejects(client().update(configMaps, { ...first, data: { value: 'c' } }), isConflict)
    assert.deepEqual(await client().get(configMaps, keyOf(first)), second)
  })

  test('unknown fields are refused unless asked otherwise', async () => {
    const namespace = await newNamespace(client())
    const unknown = { ...configMap(namespace, 'a'), unknown: 1 }
    await assert.rejects(
      client().create(configMaps, unknown),
      (error) => error instanceof ApiError && error.code === 400,
    )
    await client().create(configMaps, unknown, { fieldValidation: 'Ignore' })
  })

  test('an invalid object is refused with a reason, and a dry run stores nothing', async () => {
    const namespace = await newNamespace(client())
    await assert.rejects(client().create(configMaps, configMap(namespace, 'Not Valid')), isInvalid)
    await client().create(configMaps, configMap(namespace, 'dry'), { dryRun: true })
    assert.equal(await client().find(configMaps, { namespace, name: 'dry' }), undefined)
  })

  test('merge and JSON patches change what they name', async () => {
    const namespace = await newNamespace(client())
    const key = keyOf(await client().create(configMaps, configMap(namespace, 'a')))
    await client().patch(configMaps, key, { type: 'merge', body: { data: { value: null, other: 'b' } } })
    const patched = await client().patch(configMaps, key, {
      type: 'json',
      body: [{ op: 'add', path: '/data/third', value: 'c' }],
    })
    assert.deepEqual(patched.data, { other: 'b', third: 'c' })
  })

  test('server-side apply creates, changes, and protects what another manager owns', async () => {
    const namespace = await newNamespace(client())
    await client().apply(configMaps, configMap(namespace, 'a', 'one'), { fieldManager: 'first' })
    const other = configMap(namespace, 'a', 'two')
    await assert.rejects(client().apply(configMaps, other, { fieldManager: 'second' }), isConflict)
    const forced = await client().apply(configMaps, other, { fieldManager: 'second', force: true })
    assert.equal(forced.data?.['value'], 'two')
  })

  test('a deletion can be tied to a uid, and absence is an error with a name', async () => {
    const namespace = await newNamespace(client())
    const created = await client().create(configMaps, configMap(namespace, 'a'))
    await assert.rejects(client().delete(configMaps, keyOf(created), { uid: 'another' }), isConflict)
    await client().delete(configMaps, keyOf(created), { uid: created.metadata.uid ?? '' })
    await assert.rejects(client().delete(configMaps, keyOf(created)), isNotFound)
  })

  test('a collection is deleted by selector', async () => {
    const namespace = await newNamespace(client())
    await client().create(configMaps, configMap(namespace, 'a', 'x', { app: 'one' }))
    await client().create(configMaps, configMap(namespace, 'b', 'x', { app: 'two' }))
    await client().deleteCollection(configMaps, { namespace, labels: parseLabelSelector('app=one') })
    const { items } = await client().list(configMaps, { namespace, fields: 'metadata.name!=kube-root-ca.crt' })
    assert.deepEqual(
      items.map((object) => object.metadata.name),
      ['b'],
    )
  })
}

function registerReads(client: () => Client): void {
  test('absence is an answer only when the server names the object', async () => {
    const namespace = await newNamespace(client())
    assert.equal(await client().find(configMaps, { namespace, name: 'nobody' }), undefined)
    await assert.rejects(
      client().find({ ...configMaps, plural: 'nothings' }, { namespace, name: 'nobody' }),
      isNotFound,
    )
  })

  test('lists select by label and field, come in pages of one snapshot, and carry whole objects', async () => {
    const namespace = await newNamespace(client())
    for (const name of ['a', 'b', 'c'])
      await client().create(configMaps, configMap(namespace, name, 'x', { app: name }))
    const some = await client().list(configMaps, { namespace, labels: parseLabelSelector('app in (a, b)') })
    assert.deepEqual(
      some.items.map((object) => object.metadata.name),
      ['a', 'b'],
    )
    const one = await client().list(configMaps, { namespace, fields: 'metadata.name=c' })
    assert.deepEqual(
      one.items.map((object) => [object.apiVersion, object.kind, object.metadata.name]),
      [['v1', 'ConfigMap', 'c']],
    )
    const labels = parseLabelSelector('app')
    const first = await client().list(configMaps, { namespace, labels, limit: 2 })
    await client().create(configMaps, configMap(namespace, 'd', 'x', { app: 'd' }))
    const rest = await client().list(configMaps, {
      namespace,
      labels,
      limit: 2,
      continue: first.metadata.continue ?? '',
    })
    assert.deepEqual(
      [...first.items, ...rest.items].map((object) => object.metadata.name),
      ['a', 'b', 'c'],
    )
  })

  test('metadata-only reads leave out everything else', async () => {
    const namespace = await newNamespace(client())
    const created = await client().create(configMaps, configMap(namespace, 'a'))
    const { items } = await client().list(configMaps, { namespace, metadataOnly: true, fields: 'metadata.name=a' })
    assert.deepEqual(items, [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: created.metadata }])
    assert.deepEqual((await client().list(configMaps, { namespace: 'no-such', metadataOnly: true })).items, [])
  })

  test('discovery names every kind with its verbs', async () => {
    const { resources, failures } = await discover(client())
    assert.deepEqual(failures, [])
    const found = resources.find((resource) => resource.group === '' && resource.plural === 'configmaps')
    assert.equal(found?.namespaced, true)
    assert.ok(found?.verbs.includes('watch'))
  })

  test('a path outside the grammar answers with its text, an aborted call with its reason', async () => {
    assert.equal(await client().raw('/readyz'), 'ok')
    const reason = new Error('enough')
    await assert.rejects(client().raw('/readyz', { signal: AbortSignal.abort(reason) }), (error) => error === reason)
  })
}

function registerWatches(client: () => Client): void {
  test('a watch tells of every change after its start, in order, and ends when aborted', async () => {
    const namespace = await newNamespace(client())
    const { metadata } = await client().list(configMaps, { namespace })
    const created = await client().create(configMaps, configMap(namespace, 'a'))
    await client().update(configMaps, { ...created, data: { value: 'b' } })
    await client().delete(configMaps, keyOf(created))
    const stop = new AbortController()
    const start = metadata.resourceVersion ?? ''
    const watch = client().watch(configMaps, {
      namespace,
      after: start,
      fields: 'metadata.name=a',
      signal: stop.signal,
    })
    const seen = await takeUntil(watch, (events) => events.length === 3)
    assert.deepEqual(
      seen.map((event) => event.type),
      ['ADDED', 'MODIFIED', 'DELETED'],
    )
    stop.abort()
  })

  test('initial events are complete at their bookmark', async () => {
    const namespace = await newNamespace(client())
    for (const name of ['a', 'b']) await client().create(configMaps, configMap(namespace, name, 'x', { app: 'x' }))
    const labels = parseLabelSelector('app=x')
    const watch = client().watch(configMaps, { namespace, labels, sendInitialEvents: true })
    const seen = await takeUntil(watch, (events) => events.some((event) => event.type === 'BOOKMARK'))
    assert.deepEqual(
      seen.map((event) => event.type),
      ['ADDED', 'ADDED', 'BOOKMARK'],
    )
    assert.ok(seen.every((event) => event.type !== 'BOOKMARK' || event.initialEventsEnd))
  })

  test('a watch from a revision that never was valid is refused, not silently empty', async () => {
    const watch = client().watch(configMaps, { after: 'not-a-revision' })
    await assert.rejects(
      takeUntil(watch, () => true),
      (error) => error instanceof ApiError && !isExpired(error),
    )
  })

  test('an informer follows creations, changes and deletions', async () => {
    const namespace = await newNamespace(client())
    const stop = new AbortController()
    const informer = createInformer({
      client: client(),
      kind: configMaps,
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      namespace,
      indexes: { value: (object) => Object.values(object.data ?? {}) },
    })
    const early = await client().create(configMaps, configMap(namespace, 'before', 'old'))
    const running = informer.run(stop.signal)
    await informer.ready(AbortSignal.timeout(PATIENCE_MS))
    assert.equal(informer.get(keyOf(early))?.metadata.uid, early.metadata.uid)
    const seen = Promise.withResolvers<void>()
    informer.listen(({ key, type }) => {
      if (key.name === 'last' && type === 'added') seen.resolve()
    })
    await client().update(configMaps, { ...early, data: { value: 'new' } })
    const brief = await client().create(configMaps, configMap(namespace, 'brief'))
    await client().delete(configMaps, keyOf(brief))
    await client().create(configMaps, configMap(namespace, 'last'))
    await seen.promise
    assert.deepEqual(
      informer.byIndex('value', 'new').map((object: KubeObject) => object.metadata.name),
      ['before'],
    )
    assert.equal(informer.get(keyOf(brief)), undefined)
    stop.abort()
    await running
  })
}

async function takeUntil<T>(
  watch: AsyncIterable<WatchEvent<T>>,
  isEnough: (events: readonly WatchEvent<T>[]) => boolean,
) {
  const events: WatchEvent<T>[] = []
  for await (const event of watch) {
    events.push(event)
    if (isEnough(events)) break
  }
  return events
}
